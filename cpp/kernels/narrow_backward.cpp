#include "kernels/narrow_product.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/narrow_backward.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/narrow_tile-inl.hpp"
#include "kernels/partial-inl.hpp"
#include "kernels/registers-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Lanes add up so many rows at most before they are added together: long sums keep their digits.
constexpr std::int64_t kMostRows = 256;

template <class T, class X>
struct Backward {
  NarrowShape shape;
  const X* x;
  const T* d;
  T* sums;
};

// The part of a tile that is there: of its first vector the lanes from `begin` on, of its last
// those before `end`.
struct Edges {
  std::int64_t begin;
  std::int64_t end;
};

// sums[c][feature …] for kCount columns and kWide vectors of features, all of them or, if kCut,
// what lies between the edges. Meanwhile kLines of what is ahead are fetched for each row.
template <int kWide, int kCount, bool kCut, int kLines, class T, class X>
HWY_NOINLINE void backward_tile(const Backward<T, X>& b, std::int64_t feature, std::int64_t column,
                                Edges edges, Ahead& ahead) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const NarrowShape& shape = b.shape;
  const auto is_cut = [](int v) { return kCut && (v == 0 || v == kWide - 1); };
  const auto begin = [&](int v) { return v == 0 ? edges.begin : 0; };
  const auto end = [&](int v) { return v == kWide - 1 ? edges.end : lanes; };
  hn::Vec<decltype(d)> totals[kWide][kCount];
  ARN_UNROLL
  for (auto& vector_totals : totals) {
    ARN_UNROLL
    for (auto& total : vector_totals) total = hn::Zero(d);
  }
  const X* x = b.x + feature;
  const T* factors = b.d + column;
  Ahead running = ahead;
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    running.fetch<kLines>();
    hn::Vec<decltype(d)> values[kWide];
    ARN_UNROLL
    for (int v = 0; v < kWide; ++v) {
      const X* const from = x + v * lanes;
      values[v] =
          is_cut(v) ? load_numbers_between(d, from, begin(v), end(v)) : load_numbers(d, from);
    }
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) {
      const auto factor = hn::Set(d, factors[c]);
      ARN_UNROLL
      for (int v = 0; v < kWide; ++v) totals[v][c] = hn::MulAdd(values[v], factor, totals[v][c]);
    }
    x += shape.x_step;
    factors += shape.columns;
  }
  ahead = running;
  T* const sums = b.sums + column * shape.step + feature;
  ARN_UNROLL
  for (int v = 0; v < kWide; ++v) {
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) {
      T* const target = sums + c * shape.step + v * lanes;
      if (is_cut(v)) {
        add_between(totals[v][c], d, target, begin(v), end(v));
      } else {
        hn::StoreU(hn::Add(hn::LoadU(d, target), totals[v][c]), d, target);
      }
    }
  }
}

// All features, kMost vectors at a time: visit(feature, wide, is_cut, edges) with the number of
// vectors, and whether they are not all there, as constants.
template <int kMost, class T, class X, class Visit>
HWY_INLINE void for_features(const Backward<T, X>& b, Visit&& visit) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  const std::int64_t lead = lead_of<T>(b.shape, b.x);
  const std::int64_t last = lead + b.shape.features;
  for (std::int64_t first = 0; first < last; first += kMost * lanes) {
    const std::int64_t wide = std::min<std::int64_t>(kMost, (last - first + lanes - 1) / lanes);
    const Edges edges{.begin = first == 0 ? lead : 0,
                      .end = std::min(lanes, last - first - (wide - 1) * lanes)};
    if (wide == kMost && edges.begin == 0 && edges.end == lanes) {
      visit(first - lead, std::integral_constant<int, kMost>(), std::false_type(), edges);
    } else {
      with_count<1, kMost>(
          wide, [&](auto count) HWY_ATTR { visit(first - lead, count, std::true_type(), edges); });
    }
  }
}

// With so few columns memory is what takes time: a few rows are read side by side, each in memory
// order, while the sums stay in the nearest cache.
constexpr int kFewColumns = 2;
constexpr int kRowsSideBySide = 8;

// sums[c] += what kRows rows add to it, for kCount columns.
template <int kRows, int kCount, class T, class X>
HWY_NOINLINE void backward_rows(const Backward<T, X>& b, std::int64_t row, Ahead& ahead) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const NarrowShape& shape = b.shape;
  const X* const x = b.x + row * shape.x_step;
  hn::Vec<decltype(d)> factors[kRows][kCount];
  ARN_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) {
      factors[r][c] = hn::Set(d, b.d[(row + r) * shape.columns + c]);
    }
  }
  const auto add = [&](std::int64_t feature, auto&& load) HWY_ATTR {
    hn::Vec<decltype(d)> totals[kCount];
    ARN_UNROLL
    for (auto& total : totals) total = hn::Zero(d);
    ARN_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const auto values = load(x + r * shape.x_step + feature);
      ARN_UNROLL
      for (int c = 0; c < kCount; ++c) totals[c] = hn::MulAdd(values, factors[r][c], totals[c]);
    }
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) {
      T* const target = b.sums + c * shape.step + feature;
      hn::StoreU(hn::Add(hn::LoadU(d, target), totals[c]), d, target);
    }
  };
  const auto add_first = [&](std::int64_t feature, std::int64_t count) HWY_ATTR {
    add(feature, [&](const auto* from) HWY_ATTR {
      return load_first_numbers(d, from, static_cast<std::size_t>(count));
    });
  };
  std::int64_t feature = 0;
  if (const std::int64_t lead = lead_of<T>(shape, b.x); lead > 0) {
    feature = lanes - lead;
    add_first(0, feature);
  }
  Ahead running = ahead;
  for (; feature + lanes <= shape.features; feature += lanes) {
    running.fetch<lines_ahead<T, X>(kRows)>();
    add(feature, [&](const auto* from) HWY_ATTR { return load_numbers(d, from); });
  }
  if (feature < shape.features) add_first(feature, shape.features - feature);
  ahead = running;
}

// The sums of so many features at a time start from zero, and are added to those of other rows at
// the end: one chain of additions through many rows would lose digits.
template <class T>
constexpr std::int64_t kTogether = (8 << 10) / sizeof(T);

template <class T>
void add_sums(const T* from, std::int64_t count, T* to) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i < count; i += lanes) {
    hn::Store(hn::Add(hn::Load(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
}

template <class T, class X>
void backward_few(const Backward<T, X>& b) {
  constexpr std::int64_t kStep = kTogether<T> + HWY_MAX_BYTES / sizeof(T);
  HWY_ALIGN T sums[kFewColumns * kStep];
  Ahead ahead = next_rows<T>(b.shape, b.x, kRowsSideBySide, true);
  Backward<T, X> part = b;
  part.sums = sums + lead_of<T>(b.shape, b.x);
  part.shape.step = kStep;
  for (std::int64_t feature = 0; feature < b.shape.features; feature += kTogether<T>) {
    part.x = b.x + feature;
    part.shape.features = std::min(kTogether<T>, b.shape.features - feature);
    const std::int64_t length = narrow_step<T>(part.shape.features);
    for (std::int64_t c = 0; c < b.shape.columns; ++c) {
      std::fill_n(part.sums + c * kStep, length, T{0});
    }
    with_count<1>(b.shape.columns, [&](auto count) HWY_ATTR {
      constexpr int kCount = std::min<int>(decltype(count)::value, kFewColumns);
      for_rows<kRowsSideBySide / kCount>(
          0, b.shape.rows, [&](std::int64_t row, auto rows) HWY_ATTR {
            backward_rows<decltype(rows)::value, kCount>(part, row, ahead);
          });
    });
    for (std::int64_t c = 0; c < b.shape.columns; ++c) {
      add_sums(part.sums + c * kStep, part.shape.features, b.sums + c * b.shape.step + feature);
    }
  }
}

template <class T, class X>
void backward_one_group(const Backward<T, X>& b) {
  if (b.shape.columns <= kFewColumns) return backward_few(b);
  with_count<kFewColumns + 1>(b.shape.columns, [&](auto count) HWY_ATTR {
    constexpr int kCount = decltype(count)::value;
    Ahead ahead = next_rows<T>(b.shape, b.x, tile_vectors(kCount), true);
    for_features<tile_vectors(kCount)>(
        b, [&](std::int64_t feature, auto wide, auto is_cut, Edges edges) HWY_ATTR {
          constexpr int kWide = decltype(wide)::value;
          constexpr bool kCut = decltype(is_cut)::value;
          constexpr int kLines = lines_ahead<T, X>(kWide);
          backward_tile<kWide, kCount, kCut, kLines>(b, feature, 0, edges, ahead);
        });
  });
}

template <class T, class X>
void backward_groups(const Backward<T, X>& b) {
  constexpr int kMost = group_vectors(kGroup<T, X>);
  Ahead ahead = next_rows<T>(b.shape, b.x, kMost, true);
  for_features<kMost>(b, [&](std::int64_t feature, auto wide, auto is_cut, Edges edges) HWY_ATTR {
    constexpr int kWide = decltype(wide)::value;
    constexpr bool kCut = decltype(is_cut)::value;
    for_column_groups<kGroup<T, X>>(b.shape.columns, [&](std::int64_t column, auto count) HWY_ATTR {
      backward_tile<kWide, decltype(count)::value, kCut, 1>(b, feature, column, edges, ahead);
    });
  });
}

template <class T, class X>
void backward(const NarrowShape& shape, const std::byte* x, const std::byte* d_,
              std::byte* sums) noexcept {
  for (std::int64_t row = 0; row < shape.rows; row += kMostRows) {
    Backward<T, X> part{.shape = shape,
                        .x = reinterpret_cast<const X*>(x) + row * shape.x_step,
                        .d = reinterpret_cast<const T*>(d_) + row * shape.columns,
                        .sums = reinterpret_cast<T*>(sums)};
    part.shape.rows = std::min(kMostRows, shape.rows - row);
    if (part.shape.rows < shape.rows) part.shape.next = nullptr;
    shape.columns <= kColumns ? backward_one_group(part) : backward_groups(part);
  }
}

}  // namespace

NarrowFn backward_of(DType dtype, DType of_x) {
  return for_types(dtype, of_x, []<class T, class X>(std::type_identity<T>, std::type_identity<X>) {
    return static_cast<NarrowFn>(&backward<T, X>);
  });
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(backward_of);

NarrowFn narrow_backward(DType dtype, DType of_x) {
  return HWY_DYNAMIC_DISPATCH(backward_of)(dtype, of_x);
}

}  // namespace arignote
#endif  // HWY_ONCE
