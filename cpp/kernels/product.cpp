#include "kernels/product.hpp"

#include <algorithm>
#include <type_traits>

#include "kernels/blas.hpp"
#include "kernels/strided.hpp"

namespace arignote {
namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <class T>
blas::Matrix<T> stored(const Factor<T>& factor) {
  if (factor.column_step == 1) return {factor.data, factor.row_step, false};
  return {factor.data, factor.column_step, true};
}

// y += matrix * x
template <class T>
void add_vector_product(const Factor<T>& matrix, std::int64_t rows, std::int64_t columns,
                        const T* x, std::int64_t x_step, T* y, std::int64_t y_step) noexcept {
  if (rows == 1) {
    *y += blas::dot(columns, matrix.data, matrix.column_step, x, x_step);
  } else if (matrix.column_step == 1) {
    blas::gemv(rows, columns, T{1}, stored(matrix), x, x_step, T{1}, y, y_step);
  } else {
    blas::gemv(columns, rows, T{1}, stored(matrix), x, x_step, T{1}, y, y_step);
  }
}

constexpr std::int64_t kMostDepth = std::int64_t{1} << 30;

}  // namespace

template <class T>
void RealProduct<T>::plan(const ProductShape& shape, bool dense_a_rows,
                          bool dense_b_columns) noexcept {
  shape_ = shape;
  is_vector_ = shape.m == 1 || shape.n == 1;
  if (is_vector_) {
    plan_vector(shape.m * shape.n, shape.n == 1 ? dense_a_rows : dense_b_columns);
  } else {
    matrix_.plan(shape);
  }
}

template <class T>
void RealProduct<T>::plan_vector(std::int64_t outputs, bool dense_rows) noexcept {
  constexpr std::int64_t kManyOutputs = 8192;
  constexpr auto kItem = static_cast<std::int64_t>(sizeof(T));
  tile_rows_ = std::max<std::int64_t>(1, outputs);
  tile_depth_ = std::min(shape_.k, kMostDepth);
  const std::int64_t row_bytes = tile_depth_ * kItem;
  if (outputs * row_bytes < 2 * kTaskBytes) return;
  if (dense_rows && outputs >= 16) {
    tile_rows_ = items_per_task(row_bytes);
  } else if (!dense_rows && outputs >= kManyOutputs) {
    tile_rows_ = std::max(kManyOutputs / 4, items_per_task(row_bytes));
  } else {
    // Parts of the depth, each a sum of its own, are read in memory order.
    tile_depth_ =
        std::min(tile_depth_, std::max<std::int64_t>(64, items_per_task(outputs * kItem)));
  }
}

template <class T>
std::size_t RealProduct<T>::workspace_bytes() const noexcept {
  if (!is_vector_) return matrix_.workspace_bytes();
  if (tile_depth_ >= shape_.k) return 0;
  const std::int64_t parts = ceil_div(shape_.k, tile_depth_);
  return static_cast<std::size_t>(parts * shape_.m * shape_.n) * sizeof(T);
}

template <class T>
void RealProduct<T>::run(const Factor<T>& a, const Factor<T>& b, const Result<T>& out, bool adds,
                         std::byte* workspace) const noexcept {
  if (!is_vector_) {
    matrix_.run(a, b, out, adds, workspace);
  } else if (shape_.n == 1) {
    run_vector({a, b.data, b.row_step, out.data, out.row_step}, workspace);
  } else {
    run_vector({b.transposed(), a.data, a.column_step, out.data, 1}, workspace);
  }
}

template <class T>
void RealProduct<T>::run_vector(const VectorProduct& product, std::byte* workspace) const noexcept {
  const std::int64_t outputs = shape_.m * shape_.n;
  const std::int64_t parts = ceil_div(shape_.k, tile_depth_);
  const std::int64_t tiles = ceil_div(outputs, tile_rows_);
  auto* partial = reinterpret_cast<T*>(workspace);
  parallel_for(parts * tiles, [&](std::int64_t task) {
    const std::int64_t part = task / tiles;
    const std::int64_t row = task % tiles * tile_rows_;
    const std::int64_t depth = part * tile_depth_;
    const std::int64_t rows = std::min(tile_rows_, outputs - row);
    T* y = parts > 1 ? partial + part * outputs + row : product.y + row * product.y_step;
    const std::int64_t y_step = parts > 1 ? 1 : product.y_step;
    for (std::int64_t i = 0; i < rows; ++i) y[i * y_step] = T{0};
    add_vector_product(product.matrix.from(row, depth), rows,
                       std::min(tile_depth_, shape_.k - depth), product.x + depth * product.x_step,
                       product.x_step, y, y_step);
  });
  for (std::int64_t part = 0; parts > 1 && part < parts; ++part) {
    for (std::int64_t i = 0; i < outputs; ++i) {
      T& y = product.y[i * product.y_step];
      y = partial[part * outputs + i] + (part == 0 ? T{0} : y);
    }
  }
}

template class RealProduct<float>;
template class RealProduct<double>;

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
