#include "kernels/narrow_product.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/narrow_forward.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/narrow_tile-inl.hpp"
#include "kernels/partial-inl.hpp"
#include "kernels/registers-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Lanes add up so many features at most before they are added together: long rows keep their
// digits, and the columns of w in use take half of the first cache.
template <class T, class X>
constexpr std::int64_t kMostFeatures = (16 << 10) / kGroup<T, X> / sizeof(T) / 16 * 16;

#if HWY_TARGET != HWY_SCALAR
// The sum of the 128-bit blocks of a vector.
template <class D>
HWY_INLINE auto sum_of_blocks([[maybe_unused]] D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

// The sums of the lanes of kCount vectors, as many together as fit into 16 bytes: that takes fewer
// steps than one after the other. May write 16 bytes behind the last.
template <int kCount, class D, class T = hn::TFromD<D>>
HWY_INLINE void sum_lanes([[maybe_unused]] D d, const hn::Vec<D>* vectors, T* sums) {
#if HWY_TARGET == HWY_SCALAR
  ARN_UNROLL
  for (int i = 0; i < kCount; ++i) sums[i] = hn::GetLane(vectors[i]);
#else
  constexpr int kTogether = 16 / sizeof(T);
  const auto at = [vectors](int i) HWY_ATTR { return vectors[std::min(i, kCount - 1)]; };
  const auto paired = [d](auto a, auto b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  ARN_UNROLL
  for (int i = 0; i < kCount; i += kTogether) {
    hn::Vec<D> together = at(i);
    if constexpr (kTogether == 4) {
      together = paired(paired(at(i), at(i + 2)), paired(at(i + 1), at(i + 3)));
    } else {
      together = paired(at(i), at(i + 1));
    }
    const hn::CappedTag<T, kTogether> d_together;
    hn::StoreU(sum_of_blocks(d, together), d_together, sums + i);
  }
#endif
}

template <class T, class X>
struct Forward {
  NarrowShape shape;
  const X* x;
  const T* w;
  T* out;
  bool adds;
  std::int64_t lead;  // lanes of the first vector of each row before the row
};

// The part of out in kRows rows and kCount columns. Meanwhile kLines of what is ahead are fetched
// for each vector of features.
template <int kRows, int kCount, int kLines, class T, class X>
HWY_NOINLINE void forward_tile(const Forward<T, X>& f, std::int64_t row, std::int64_t column,
                               Ahead& ahead) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const NarrowShape& shape = f.shape;
  const X* const x = f.x + row * shape.x_step;
  const T* const w = f.w + column * shape.step;
  Ahead running = ahead;
  hn::Vec<decltype(d)> sums[kRows][kCount];
  ARN_UNROLL
  for (auto& row_sums : sums) {
    ARN_UNROLL
    for (auto& sum : row_sums) sum = hn::Zero(d);
  }
  const auto add = [&](std::int64_t feature, auto&& load) HWY_ATTR {
    hn::Vec<decltype(d)> values[kRows];
    ARN_UNROLL
    for (int r = 0; r < kRows; ++r) values[r] = load(x + r * shape.x_step + feature);
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) {
      const auto weights = in_register(load(w + c * shape.step + feature));
      ARN_UNROLL
      for (int r = 0; r < kRows; ++r) sums[r][c] = hn::MulAdd(values[r], weights, sums[r][c]);
    }
  };
  std::int64_t feature = 0;
  if (f.lead > 0) {
    add(-f.lead,
        [&](const auto* from) HWY_ATTR { return load_numbers_between(d, from, f.lead, lanes); });
    feature = lanes - f.lead;
  }
  for (; feature + lanes <= shape.features; feature += lanes) {
    running.fetch<kLines>();
    add(feature, [&](const auto* from) HWY_ATTR { return load_numbers(d, from); });
  }
  if (feature < shape.features) {
    const auto rest = static_cast<std::size_t>(shape.features - feature);
    add(feature, [&](const auto* from) HWY_ATTR { return load_first_numbers(d, from, rest); });
  }
  ahead = running;
  T* const out = f.out + row * shape.columns + column;
  constexpr int kTogether = 16 / sizeof(T);
  if (kRows * kCount % kTogether == 0 && shape.columns == kCount && !f.adds) {
    return sum_lanes<kRows * kCount>(d, &sums[0][0], out);
  }
  HWY_ALIGN T totals[kRows * kCount + kTogether];
  sum_lanes<kRows * kCount>(d, &sums[0][0], totals);
  ARN_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) {
      T& target = out[r * shape.columns + c];
      const T sum = totals[r * kCount + c];
      target = f.adds ? target + sum : sum;
    }
  }
}

template <class T, class X>
void forward_one_group(const Forward<T, X>& f, Ahead& ahead) {
  with_count<1>(f.shape.columns, [&](auto count) HWY_ATTR {
    constexpr int kCount = decltype(count)::value;
    for_rows<tile_vectors(kCount)>(0, f.shape.rows, [&](std::int64_t row, auto rows) HWY_ATTR {
      constexpr int kRows = decltype(rows)::value;
      forward_tile<kRows, kCount, lines_ahead<T, X>(kRows)>(f, row, 0, ahead);
    });
  });
}

// All rows are multiplied by one group of columns, then by the next: a group's part of w stays in
// the first cache.
template <class T, class X>
void forward_groups(const Forward<T, X>& f, Ahead& ahead) {
  for_column_groups<kGroup<T, X>>(f.shape.columns, [&](std::int64_t column, auto count) HWY_ATTR {
    constexpr int kCount = decltype(count)::value;
    for_rows<group_vectors(kCount)>(0, f.shape.rows, [&](std::int64_t row, auto rows) HWY_ATTR {
      forward_tile<decltype(rows)::value, kCount, 1>(f, row, column, ahead);
    });
  });
}

template <class T, class X>
void forward(const NarrowShape& shape, const std::byte* x, const std::byte* w,
             std::byte* out) noexcept {
  const bool is_one_group = shape.columns <= kColumns;
  const int vectors =
      is_one_group ? tile_vectors(static_cast<int>(shape.columns)) : group_vectors(kGroup<T, X>);
  Ahead ahead = next_rows<T>(shape, reinterpret_cast<const X*>(x), vectors, false);
  for (std::int64_t first = 0; first < shape.features; first += kMostFeatures<T, X>) {
    Forward<T, X> part{.shape = shape,
                       .x = reinterpret_cast<const X*>(x) + first,
                       .w = reinterpret_cast<const T*>(w) + first,
                       .out = reinterpret_cast<T*>(out),
                       .adds = first > 0,
                       .lead = 0};
    part.shape.features = std::min(kMostFeatures<T, X>, shape.features - first);
    part.lead = lead_of<T>(part.shape, part.x);
    is_one_group ? forward_one_group(part, ahead) : forward_groups(part, ahead);
  }
}

}  // namespace

NarrowFn forward_of(DType dtype, DType of_x) {
  return for_types(dtype, of_x, []<class T, class X>(std::type_identity<T>, std::type_identity<X>) {
    return static_cast<NarrowFn>(&forward<T, X>);
  });
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(forward_of);

NarrowFn narrow_forward(DType dtype, DType of_x) {
  return HWY_DYNAMIC_DISPATCH(forward_of)(dtype, of_x);
}

}  // namespace arignote
#endif  // HWY_ONCE
