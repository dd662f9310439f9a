#include "kernels/product.hpp"

#include <algorithm>
#include <type_traits>

#include "kernels/strided.hpp"

namespace arignote {
template <class T>
void plain_product(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                   const Result<T>& out) noexcept {
  const std::int64_t grain = (1 << 16) / std::max<std::int64_t>(1, shape.k) + 1;
  parallel_ranges(shape.m * shape.n, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t at = first; at < last; ++at) {
      const T* row = a.data + at / shape.n * a.row_step;
      const T* column = b.data + at % shape.n * b.column_step;
      T sum{};
      for (std::int64_t p = 0; p < shape.k; ++p) {
        sum += row[p * a.column_step] * column[p * b.row_step];
      }
      out.data[at / shape.n * out.row_step + at % shape.n] = sum;
    }
  });
}

template void plain_product(const ProductShape&, const Factor<float>&, const Factor<float>&,
                            const Result<float>&) noexcept;
template void plain_product(const ProductShape&, const Factor<double>&, const Factor<double>&,
                            const Result<double>&) noexcept;

namespace {

// Products wrap as two's complement does; types that would be promoted to int are made wider first,
// so nothing overflows.
template <class T, bool kLogical>
T multiply_add(T sum, T a, T b) noexcept {
  if constexpr (kLogical) {
    return static_cast<T>(sum | static_cast<T>((a != 0) & (b != 0)));
  } else {
    using Wide = std::common_type_t<T, unsigned>;
    return static_cast<T>(Wide{sum} + Wide{a} * Wide{b});
  }
}

// Rows first … last - 1. The depth is cut so that the part of b in use stays in a cache.
template <class T, bool kLogical>
void integer_rows(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                  const Result<T>& out, std::int64_t first, std::int64_t last) noexcept {
  const std::int64_t depth =
      std::max<std::int64_t>(8, (1 << 15) / std::max<std::int64_t>(1, shape.n));
  for (std::int64_t start = 0; start < shape.k; start += depth) {
    const std::int64_t end = std::min(shape.k, start + depth);
    for (std::int64_t i = first; i < last; ++i) {
      T* row = out.data + i * out.row_step;
      for (std::int64_t p = start; p < end; ++p) {
        const T factor = a.data[i * a.row_step + p * a.column_step];
        const T* line = b.data + p * b.row_step;
        for (std::int64_t j = 0; j < shape.n; ++j) {
          row[j] = multiply_add<T, kLogical>(row[j], factor, line[j]);
        }
      }
    }
  }
}

// With one column the sum runs along the depth, in a register.
template <class T, bool kLogical>
void integer_column(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                    const Result<T>& out, std::int64_t first, std::int64_t last) noexcept {
  for (std::int64_t i = first; i < last; ++i) {
    T sum{};
    for (std::int64_t p = 0; p < shape.k; ++p) {
      sum = multiply_add<T, kLogical>(sum, a.data[i * a.row_step + p * a.column_step],
                                      b.data[p * b.row_step]);
    }
    out.data[i * out.row_step] = sum;
  }
}

}  // namespace

template <class T, bool kLogical>
void integer_product(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                     const Result<T>& out) noexcept {
  const std::int64_t grain =
      std::max<std::int64_t>(1, (1 << 16) / std::max<std::int64_t>(1, shape.n * shape.k));
  parallel_ranges(shape.m, grain, [&](std::int64_t first, std::int64_t last) {
    if (shape.n == 1) return integer_column<T, kLogical>(shape, a, b, out, first, last);
    for (std::int64_t i = first; i < last; ++i) {
      std::fill_n(out.data + i * out.row_step, shape.n, T{});
    }
    integer_rows<T, kLogical>(shape, a, b, out, first, last);
  });
}

#define ARN_INSTANTIATE(T, LOGICAL)                                                                \
  template void integer_product<T, LOGICAL>(const ProductShape&, const Factor<T>&,                 \
                                            const Factor<T>&, const Result<T>&) noexcept
ARN_INSTANTIATE(std::uint8_t, true);
ARN_INSTANTIATE(std::uint8_t, false);
ARN_INSTANTIATE(std::uint16_t, false);
ARN_INSTANTIATE(std::uint32_t, false);
ARN_INSTANTIATE(std::uint64_t, false);
#undef ARN_INSTANTIATE

}  // namespace arignote
