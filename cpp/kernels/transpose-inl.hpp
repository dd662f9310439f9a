// Transposes of small matrices through registers. Compiled once per SIMD target: include after
// hwy/foreach_target.h and hwy/highway.h.

#if defined(ARN_TRANSPOSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_TRANSPOSE_INL
#undef ARN_TRANSPOSE_INL
#else
#define ARN_TRANSPOSE_INL
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

#include "kernels/strided.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// A matrix whose rows are dense, and lie `stride` bytes apart.
template <class Byte>
struct DenseRows {
  Byte* data;
  std::int64_t stride;

  template <class T>
  Byte* at(std::int64_t row, std::int64_t column) const {
    return data + row * stride + column * static_cast<std::int64_t>(sizeof(T));
  }
};

#if HWY_TARGET != HWY_SCALAR
// A square of 16 bytes a side: four elements, or two.
template <class T>
HWY_INLINE void transpose_square(const std::byte* from, std::int64_t from_stride, std::byte* to,
                                 std::int64_t to_stride) {
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  const hn::CappedTag<std::uint64_t, 2> d_two;
  const hn::CappedTag<std::uint8_t, 16> d_bytes;
  const auto row = [&](int number) HWY_ATTR {
    const std::byte* at = from + number * from_stride;
    return hn::BitCast(d, hn::LoadU(d_bytes, reinterpret_cast<const std::uint8_t*>(at)));
  };
  const auto put = [&](int number, auto v) HWY_ATTR {
    std::byte* at = to + number * to_stride;
    hn::StoreU(hn::BitCast(d_bytes, v), d_bytes, reinterpret_cast<std::uint8_t*>(at));
  };
  if constexpr (sizeof(T) == 8) {
    const auto r0 = row(0), r1 = row(1);
    put(0, hn::InterleaveLower(d, r0, r1));
    put(1, hn::InterleaveUpper(d, r0, r1));
  } else {
    const auto r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
    const auto low01 = hn::BitCast(d_two, hn::InterleaveLower(d, r0, r1));
    const auto low23 = hn::BitCast(d_two, hn::InterleaveLower(d, r2, r3));
    const auto high01 = hn::BitCast(d_two, hn::InterleaveUpper(d, r0, r1));
    const auto high23 = hn::BitCast(d_two, hn::InterleaveUpper(d, r2, r3));
    put(0, hn::InterleaveLower(d_two, low01, low23));
    put(1, hn::InterleaveUpper(d_two, low01, low23));
    put(2, hn::InterleaveLower(d_two, high01, high23));
    put(3, hn::InterleaveUpper(d_two, high01, high23));
  }
}
#endif

// to (columns x rows) = the transpose of from (rows x columns); T is unsigned, of 4 or 8 bytes.
template <class T>
HWY_INLINE void transpose(DenseRows<const std::byte> from, std::int64_t rows, std::int64_t columns,
                          DenseRows<std::byte> to) {
#if HWY_TARGET != HWY_SCALAR
  constexpr std::int64_t kSide = 16 / sizeof(T);
  if (rows >= kSide && columns >= kSide) {
    // The last squares of a row or a column reach over those before.
    for (std::int64_t row = 0; row < rows; row += kSide) {
      const std::int64_t top = std::min(row, rows - kSide);
      for (std::int64_t column = 0; column < columns; column += kSide) {
        const std::int64_t left = std::min(column, columns - kSide);
        transpose_square<T>(from.at<T>(top, left), from.stride, to.at<T>(left, top), to.stride);
      }
    }
    return;
  }
#endif
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      store(to.at<T>(column, row), load<T>(from.at<T>(row, column)));
    }
  }
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_TRANSPOSE_INL
