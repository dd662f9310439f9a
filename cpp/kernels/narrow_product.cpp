#include "kernels/narrow_product.hpp"

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/narrow_product.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/cache_control.h"
#include "hwy/highway.h"

#include "kernels/partial-inl.hpp"

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

// With fewer columns more rows, or vectors, keep as many sums going: each waits for the one before.
constexpr int tile_vectors(int columns) {
  constexpr int kSums = kVectors * kColumns;
  return columns == 1 ? std::min(kSums, 8) : kSums / columns;
}

// visit(count) with the count as a constant.
template <int kLeast, class Visit>
HWY_INLINE void with_count(std::int64_t count, Visit&& visit) {
  if constexpr (kLeast < kColumns) {
    if (count > kLeast) return with_count<kLeast + 1>(count, visit);
  }
  visit(std::integral_constant<int, kLeast>());
}

// More columns than one group takes, shared out evenly: visit(first, count).
template <class Visit>
HWY_INLINE void for_column_groups(std::int64_t columns, Visit&& visit) {
  constexpr int kLeast = (kColumns + 1) / 2;
  const std::int64_t groups = (columns + kColumns - 1) / kColumns;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t first = columns * group / groups;
    with_count<kLeast>(columns * (group + 1) / groups - first,
                       [&](auto count) HWY_ATTR { visit(first, count); });
  }
}

// Lanes add up so many features at most before they are added together: long rows keep their
// digits, and the part of w in use its place in the cache.
constexpr std::int64_t kMostFeatures = 2048;
// The same for rows.
constexpr std::int64_t kMostRows = 256;

// GCC would load such a vector again for each of its uses, and run out of load ports.
template <class V>
HWY_INLINE V in_register(V v) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL && HWY_TARGET != HWY_EMU128
  asm("" : "+v"(v.raw));
#endif
  return v;
}

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
  for (int i = 0; i < kCount; ++i) sums[i] = hn::GetLane(vectors[i]);
#else
  constexpr int kTogether = 16 / sizeof(T);
  const auto at = [vectors](int i) HWY_ATTR { return vectors[std::min(i, kCount - 1)]; };
  const auto paired = [d](auto a, auto b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
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

// Memory that will be used later, fetched into the cache a line at a time while tiles are computed:
// evenly, since a core waits for few lines at once.
struct Ahead {
  const std::byte* line;
  std::int64_t step;

  HWY_INLINE void fetch() {
    hwy::Prefetch(line);
    line += step;
  }
};

// As many rows as these behind them: the forward product fetches one half, the backward product the
// other.
template <class T>
Ahead next_rows(const NarrowShape& shape, const T* x, bool is_backward) {
  if (!shape.goes_on) return {.line = reinterpret_cast<const std::byte*>(x), .step = 0};
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  const std::int64_t groups = (shape.columns + kColumns - 1) / kColumns;
  const std::int64_t lines = std::max<std::int64_t>(1, shape.features * groups / lanes);
  const std::int64_t half = shape.x_step * static_cast<std::int64_t>(sizeof(T)) / 2;
  const auto* next = reinterpret_cast<const std::byte*>(x + shape.rows * shape.x_step);
  return {.line = next + (is_backward ? shape.rows * half : 0), .step = half * kVectors / lines};
}

template <class T>
struct Forward {
  NarrowShape shape;
  const T* x;
  const T* w;
  T* out;
  bool adds;
};

// The part of out in kRows rows and kCount columns. If kNext is not 0, so many rows from the one
// numbered `next`, which may be behind the last, are fetched into the cache meanwhile, and what is
// ahead.
template <int kRows, int kCount, int kNext, class T>
HWY_NOINLINE void forward_tile(const Forward<T>& f, std::int64_t row, std::int64_t column,
                               std::int64_t next, Ahead& ahead) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const NarrowShape& shape = f.shape;
  const T* const x = f.x + row * shape.x_step;
  const T* const w = f.w + column * shape.step;
  const T* const next_x = f.x + next * shape.x_step;
  Ahead running = ahead;
  hn::Vec<decltype(d)> sums[kRows][kCount];
  for (auto& row_sums : sums) {
    for (auto& sum : row_sums) sum = hn::Zero(d);
  }
  const auto add = [&](std::int64_t feature, auto&& load) HWY_ATTR {
    hn::Vec<decltype(d)> values[kRows];
    for (int r = 0; r < kRows; ++r) values[r] = load(x + r * shape.x_step + feature);
    for (int c = 0; c < kCount; ++c) {
      const auto weights = in_register(load(w + c * shape.step + feature));
      for (int r = 0; r < kRows; ++r) sums[r][c] = hn::MulAdd(values[r], weights, sums[r][c]);
    }
  };
  std::int64_t feature = 0;
  for (; feature + lanes <= shape.features; feature += lanes) {
    for (int r = 0; r < kNext; ++r) hwy::Prefetch(next_x + r * shape.x_step + feature);
    if constexpr (kNext > 0) running.fetch();
    add(feature, [&](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
  }
  if (feature < shape.features) {
    const auto rest = static_cast<std::size_t>(shape.features - feature);
    add(feature, [&](const T* from) HWY_ATTR { return load_first(d, from, rest, T{0}); });
  }
  ahead = running;
  HWY_ALIGN T totals[kRows * kCount + 16 / sizeof(T)];
  sum_lanes<kRows * kCount>(d, &sums[0][0], totals);
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kCount; ++c) {
      T& target = f.out[(row + r) * shape.columns + column + c];
      const T sum = totals[r * kCount + c];
      target = f.adds ? target + sum : sum;
    }
  }
}

// All rows, kRows at a time and then fewer: visit(row, rows) with the number as a constant.
template <int kRows, class Visit>
HWY_INLINE void for_rows(std::int64_t row, std::int64_t rows, Visit&& visit) {
  for (; row + kRows <= rows; row += kRows) visit(row, std::integral_constant<int, kRows>());
  if constexpr (kRows > 1) for_rows<kRows / 2>(row, rows, visit);
}

template <class T>
void forward_one_group(const Forward<T>& f) {
  Ahead nothing{};
  with_count<1>(f.shape.columns, [&](auto count) HWY_ATTR {
    constexpr int kCount = decltype(count)::value;
    for_rows<tile_vectors(kCount)>(0, f.shape.rows, [&](std::int64_t row, auto rows) HWY_ATTR {
      forward_tile<decltype(rows)::value, kCount, 0>(f, row, 0, 0, nothing);
    });
  });
}

// Each group of columns fetches other rows of the next tile, so that memory is read while all of
// them are computed. (One group alone computes no longer than memory takes.)
template <class T>
void forward_groups(const Forward<T>& f, Ahead& ahead) {
  for_rows<kVectors>(0, f.shape.rows, [&](std::int64_t row, auto rows) HWY_ATTR {
    constexpr int kRows = decltype(rows)::value;
    std::int64_t next = row + kRows;
    for_column_groups(f.shape.columns, [&](std::int64_t first, auto count) HWY_ATTR {
      forward_tile<kRows, decltype(count)::value, kRows / 2>(f, row, first, next, ahead);
      next += kRows / 2;
    });
  });
}

template <class T>
void forward(const NarrowShape& shape, const std::byte* x, const std::byte* w,
             std::byte* out) noexcept {
  Ahead ahead = next_rows(shape, reinterpret_cast<const T*>(x), false);
  for (std::int64_t first = 0; first < shape.features; first += kMostFeatures) {
    Forward<T> part{.shape = shape,
                    .x = reinterpret_cast<const T*>(x) + first,
                    .w = reinterpret_cast<const T*>(w) + first,
                    .out = reinterpret_cast<T*>(out),
                    .adds = first > 0};
    part.shape.features = std::min(kMostFeatures, shape.features - first);
    shape.columns <= kColumns ? forward_one_group(part) : forward_groups(part, ahead);
  }
}

template <class T>
struct Backward {
  NarrowShape shape;
  const T* x;
  const T* d;
  T* sums;
};

// sums[c][feature …] for kCount columns and kWide vectors of features, or for `rest` features if
// those are not one vector. Meanwhile a line of what is ahead is fetched for each row.
template <int kWide, int kCount, class T>
HWY_NOINLINE void backward_tile(const Backward<T>& b, std::int64_t feature, std::int64_t column,
                                std::size_t rest, Ahead& ahead) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const NarrowShape& shape = b.shape;
  hn::Vec<decltype(d)> totals[kWide][kCount];
  for (auto& vector_totals : totals) {
    for (auto& total : vector_totals) total = hn::Zero(d);
  }
  const T* x = b.x + feature;
  const T* factors = b.d + column;
  Ahead running = ahead;
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    running.fetch();
    hn::Vec<decltype(d)> values[kWide];
    for (int v = 0; v < kWide; ++v) {
      values[v] = kWide == 1 ? load_first(d, x, rest, T{0}) : hn::LoadU(d, x + v * lanes);
    }
    for (int c = 0; c < kCount; ++c) {
      const auto factor = hn::Set(d, factors[c]);
      for (int v = 0; v < kWide; ++v) totals[v][c] = hn::MulAdd(values[v], factor, totals[v][c]);
    }
    x += shape.x_step;
    factors += shape.columns;
  }
  ahead = running;
  T* const sums = b.sums + column * shape.step + feature;
  for (int v = 0; v < kWide; ++v) {
    for (int c = 0; c < kCount; ++c) {
      T* const target = sums + c * shape.step + v * lanes;
      hn::Store(hn::Add(hn::Load(d, target), totals[v][c]), d, target);
    }
  }
}

// All features, kWide vectors at a time: visit(feature, wide, rest).
template <int kWide, class T, class Visit>
HWY_INLINE void for_features(const Backward<T>& b, Visit&& visit) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  std::int64_t feature = 0;
  for (; feature + kWide * lanes <= b.shape.features; feature += kWide * lanes) {
    visit(feature, std::integral_constant<int, kWide>(), static_cast<std::size_t>(lanes));
  }
  for (; feature < b.shape.features; feature += lanes) {
    const std::int64_t rest = std::min(lanes, b.shape.features - feature);
    visit(feature, std::integral_constant<int, 1>(), static_cast<std::size_t>(rest));
  }
}

// With so few columns memory is what takes time: a few rows are read side by side, each in memory
// order, while the sums stay in the nearest cache.
constexpr int kFewColumns = 2;

// sums[c] += what kRows rows add to it, for kCount columns.
template <int kRows, int kCount, class T>
HWY_NOINLINE void backward_rows(const Backward<T>& b, std::int64_t row) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const NarrowShape& shape = b.shape;
  const T* const x = b.x + row * shape.x_step;
  hn::Vec<decltype(d)> factors[kRows][kCount];
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kCount; ++c) {
      factors[r][c] = hn::Set(d, b.d[(row + r) * shape.columns + c]);
    }
  }
  const auto add = [&](std::int64_t feature, auto&& load) HWY_ATTR {
    hn::Vec<decltype(d)> totals[kCount];
    for (auto& total : totals) total = hn::Zero(d);
    for (int r = 0; r < kRows; ++r) {
      const auto values = load(x + r * shape.x_step + feature);
      for (int c = 0; c < kCount; ++c) totals[c] = hn::MulAdd(values, factors[r][c], totals[c]);
    }
    for (int c = 0; c < kCount; ++c) {
      T* const target = b.sums + c * shape.step + feature;
      hn::Store(hn::Add(hn::Load(d, target), totals[c]), d, target);
    }
  };
  std::int64_t feature = 0;
  for (; feature + lanes <= shape.features; feature += lanes) {
    add(feature, [&](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
  }
  if (feature < shape.features) {
    const auto rest = static_cast<std::size_t>(shape.features - feature);
    add(feature, [&](const T* from) HWY_ATTR { return load_first(d, from, rest, T{0}); });
  }
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
    hn::Store(hn::Add(hn::Load(d, to + i), hn::Load(d, from + i)), d, to + i);
  }
}

template <class T>
void backward_few(const Backward<T>& b) {
  HWY_ALIGN T sums[kFewColumns * kTogether<T>];
  Backward<T> part = b;
  part.sums = sums;
  part.shape.step = kTogether<T>;
  for (std::int64_t feature = 0; feature < b.shape.features; feature += kTogether<T>) {
    part.x = b.x + feature;
    part.shape.features = std::min(kTogether<T>, b.shape.features - feature);
    const std::int64_t length = narrow_step<T>(part.shape.features);
    for (std::int64_t c = 0; c < b.shape.columns; ++c) {
      std::fill_n(sums + c * kTogether<T>, length, T{0});
    }
    with_count<1>(b.shape.columns, [&](auto count) HWY_ATTR {
      constexpr int kCount = std::min<int>(decltype(count)::value, kFewColumns);
      for_rows<8 / kCount>(0, b.shape.rows, [&](std::int64_t row, auto rows) HWY_ATTR {
        backward_rows<decltype(rows)::value, kCount>(part, row);
      });
    });
    for (std::int64_t c = 0; c < b.shape.columns; ++c) {
      add_sums(sums + c * kTogether<T>, part.shape.features, b.sums + c * b.shape.step + feature);
    }
  }
}

template <class T>
void backward_one_group(const Backward<T>& b) {
  if (b.shape.columns <= kFewColumns) return backward_few(b);
  Ahead nothing{.line = reinterpret_cast<const std::byte*>(b.x), .step = 0};
  with_count<kFewColumns + 1>(b.shape.columns, [&](auto count) HWY_ATTR {
    constexpr int kCount = decltype(count)::value;
    for_features<tile_vectors(kCount)>(
        b, [&](std::int64_t feature, auto wide, std::size_t rest) HWY_ATTR {
          backward_tile<decltype(wide)::value, kCount>(b, feature, 0, rest, nothing);
        });
  });
}

template <class T>
void backward_groups(const Backward<T>& b) {
  Ahead ahead = next_rows(b.shape, b.x, true);
  for_features<kVectors>(b, [&](std::int64_t feature, auto wide, std::size_t rest) HWY_ATTR {
    for_column_groups(b.shape.columns, [&](std::int64_t first, auto count) HWY_ATTR {
      backward_tile<decltype(wide)::value, decltype(count)::value>(b, feature, first, rest, ahead);
    });
  });
}

template <class T>
void backward(const NarrowShape& shape, const std::byte* x, const std::byte* d_,
              std::byte* sums) noexcept {
  for (std::int64_t row = 0; row < shape.rows; row += kMostRows) {
    Backward<T> part{.shape = shape,
                     .x = reinterpret_cast<const T*>(x) + row * shape.x_step,
                     .d = reinterpret_cast<const T*>(d_) + row * shape.columns,
                     .sums = reinterpret_cast<T*>(sums)};
    part.shape.rows = std::min(kMostRows, shape.rows - row);
    part.shape.goes_on = shape.goes_on && part.shape.rows == shape.rows;
    shape.columns <= kColumns ? backward_one_group(part) : backward_groups(part);
  }
}

template <class T>
constexpr NarrowProduct kProduct = {&forward<T>, &backward<T>};

}  // namespace

NarrowProduct product_of(DType dtype) {
  return dtype == DType::kFloat32 ? kProduct<float> : kProduct<double>;
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(product_of);

NarrowProduct narrow_product(DType dtype) { return HWY_DYNAMIC_DISPATCH(product_of)(dtype); }

}  // namespace arignote
#endif  // HWY_ONCE
