// How products with few columns are cut into tiles. Compiled once per SIMD target: include after
// hwy/foreach_target.h and hwy/highway.h.

#if defined(ARN_NARROW_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_NARROW_TILE_INL
#undef ARN_NARROW_TILE_INL
#else
#define ARN_NARROW_TILE_INL
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"

#include "kernels/narrow_product.hpp"
#include "kernels/partial-inl.hpp"
#include "kernels/registers-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// A tile is up to kVectors x kColumns sums; with a vector of each operand they fill the registers.
// Many columns at a time mean that x is loaded from the cache few times.
constexpr int kColumns = 5;
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr int kVectors = 4;  // of 32 registers
#else
constexpr int kVectors = 2;  // of 16
#endif

// Bytes are widened whenever they are loaded: more columns at a time take fewer loads.
template <class T, class X>
constexpr int kGroup = kVectors == 4 && !std::is_same_v<T, X> ? 2 * kColumns : kColumns;

// With fewer columns more rows, or vectors, keep as many sums going: each waits for the one before.
constexpr int tile_vectors(int columns) {
  constexpr int kSums = kVectors * kColumns;
  return columns == 1 ? std::min(kSums, 8) : kSums / columns;
}

// Of a group of columns beside others.
constexpr int group_vectors(int columns) { return std::min(kVectors, tile_vectors(columns)); }

// Lanes by which the first vector of each row of x begins before the row, so that the vectors
// behind it are aligned: a vector that spans two lines of the cache takes as long as two. Only by
// whole blocks of 16 bytes, which changes no sum: lanes are added within those first, and the
// blocks by halves.
template <class T, class X>
std::int64_t lead_of(const NarrowShape& shape, const X* x) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  constexpr std::int64_t kItem = sizeof(X);
  const bool helps = ARN_MASKED_MEMORY && std::is_same_v<T, X> && shape.features >= lanes;
  return helps ? lead_bytes(shape, x, kItem, lanes * kItem) / kItem : 0;
}

template <class D>
HWY_INLINE hn::Mask<D> lanes_between(D d, std::int64_t begin, std::int64_t end) {
  return hn::AndNot(hn::FirstN(d, static_cast<std::size_t>(begin)),
                    hn::FirstN(d, static_cast<std::size_t>(end)));
}

// Elements of either operand as numbers of the result's type: x may consist of bytes.
template <class D, class X>
HWY_INLINE hn::Vec<D> load_numbers(D d, const X* from) {
  if constexpr (std::is_same_v<X, hn::TFromD<D>>) {
    return hn::LoadU(d, from);
  } else {
    const hn::Rebind<X, D> narrow;
    const hn::Rebind<std::int32_t, D> wide;
    return hn::ConvertTo(d, hn::PromoteTo(wide, hn::LoadU(narrow, from)));
  }
}

// The first `count` of a vector, and zeros.
template <class D, class X>
HWY_INLINE hn::Vec<D> load_first_numbers(D d, const X* from, std::size_t count) {
  if constexpr (std::is_same_v<X, hn::TFromD<D>>) {
    return load_first(d, from, count, X{0});
  } else {
    X numbers[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)] = {};
    for (std::size_t i = 0; i < count; ++i) numbers[i] = from[i];
    return load_numbers(d, numbers);
  }
}

// Those from `begin` to `end` of a vector, and zeros. begin is 0 where lead_of() is.
template <class D, class X>
HWY_INLINE hn::Vec<D> load_numbers_between(D d, const X* from, std::int64_t begin,
                                           std::int64_t end) {
  if constexpr (ARN_MASKED_MEMORY && std::is_same_v<X, hn::TFromD<D>>) {
    return hn::MaskedLoad(lanes_between(d, begin, end), d, from);
  } else {
    return load_first_numbers(d, from, static_cast<std::size_t>(end));
  }
}

// Adds them to those in memory.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void add_between(hn::Vec<D> numbers, D d, T* to, std::int64_t begin, std::int64_t end) {
  if constexpr (ARN_MASKED_MEMORY) {
    const auto there = lanes_between(d, begin, end);
    hn::BlendedStore(hn::Add(hn::MaskedLoad(there, d, to), numbers), there, d, to);
  } else {
    const auto count = static_cast<std::size_t>(end);
    store_first(hn::Add(load_first(d, to, count, T{0}), numbers), d, to, count);
  }
}

// find(T, X) with the types, as std::type_identity, of the result and of x.
template <class Find>
NarrowFn for_types(DType dtype, DType of_x, Find&& find) {
  constexpr std::type_identity<float> kFloat;
  constexpr std::type_identity<double> kDouble;
  if (dtype == of_x) {
    return dtype == DType::kFloat32 ? find(kFloat, kFloat) : find(kDouble, kDouble);
  }
  return of_x == DType::kInt8 ? find(kFloat, std::type_identity<std::int8_t>())
                              : find(kFloat, std::type_identity<std::uint8_t>());
}

// visit(count) with the count as a constant.
template <int kLeast, int kMost = kColumns, class Visit>
HWY_INLINE void with_count(std::int64_t count, Visit&& visit) {
  if constexpr (kLeast < kMost) {
    if (count > kLeast) return with_count<kLeast + 1, kMost>(count, visit);
  }
  visit(std::integral_constant<int, kLeast>());
}

// More columns than one group takes, shared out evenly: visit(first, count).
template <int kMost, class Visit>
HWY_INLINE void for_column_groups(std::int64_t columns, Visit&& visit) {
  constexpr int kLeast = (kMost + 1) / 2;
  const std::int64_t groups = (columns + kMost - 1) / kMost;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t first = columns * group / groups;
    with_count<kLeast, kMost>(columns * (group + 1) / groups - first,
                              [&](auto count) HWY_ATTR { visit(first, count); });
  }
}

// All rows, kRows at a time and then fewer: visit(row, rows) with the number as a constant.
template <int kRows, class Visit>
HWY_INLINE void for_rows(std::int64_t row, std::int64_t rows, Visit&& visit) {
  for (; row + kRows <= rows; row += kRows) visit(row, std::integral_constant<int, kRows>());
  if constexpr (kRows > 1) for_rows<kRows / 2>(row, rows, visit);
}

// Memory that will be used later, fetched a line at a time while tiles are computed: evenly, since
// a core waits for few lines at once, and only into the second cache, since the first is full.
struct Ahead {
  const std::byte* line;
  std::int64_t step;

  template <int kLines>
  HWY_INLINE void fetch() {
    ARN_UNROLL
    for (int i = 0; i < kLines; ++i) {
      __builtin_prefetch(line, 0, 2);
      line += step;
    }
  }
};

constexpr int kLine = 64;

// A product fetches half as many bytes as it uses. `vectors` of x are used at a time.
template <class T, class X>
constexpr int bytes_ahead(int vectors) {
  return vectors * static_cast<int>(hn::MaxLanes(hn::ScalableTag<T>()) * sizeof(X)) / 2;
}

// Lines to fetch at a time where there is one group of columns; where there are more, it is one.
template <class T, class X>
constexpr int lines_ahead(int vectors) {
  return std::max(1, bytes_ahead<T, X>(vectors) / kLine);
}

// Of the rows that are multiplied next, the forward product fetches one half, the backward product
// the other.
template <class T, class X>
Ahead next_rows(const NarrowShape& shape, const X* x, int vectors, bool is_backward) {
  const auto* const these = reinterpret_cast<const std::byte*>(x);
  if (shape.next == nullptr || shape.next == these) return {.line = these, .step = 0};
  const std::int64_t groups = (shape.columns + kGroup<T, X> - 1) / kGroup<T, X>;
  const std::int64_t half = shape.rows * shape.x_step * static_cast<std::int64_t>(sizeof(X)) / 2;
  return {.line = shape.next + (is_backward ? half : 0),
          .step = std::min<std::int64_t>(kLine, bytes_ahead<T, X>(vectors) / groups)};
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_NARROW_TILE_INL
