#include "kernels/narrow_product.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/narrow_product.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/partial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// A tile is kVectors x columns accumulators; with a vector of each operand they fill the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr int kColumns = 5;  // of 32 registers
#else
constexpr int kColumns = 3;  // of 16
#endif
constexpr int kVectors = 4;

// Up to kColumns columns at a time, shared out evenly: visit(first, count).
template <class Visit>
HWY_INLINE void for_column_groups(std::int64_t columns, Visit&& visit) {
  const std::int64_t groups = (columns + kColumns - 1) / kColumns;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t first = columns * group / groups;
    visit(first, static_cast<int>(columns * (group + 1) / groups - first));
  }
}

// out[r][c] for kRows rows and kCount columns.
template <int kRows, int kCount, class T>
HWY_INLINE void forward_tile(const NarrowShape& shape, bool add_to, const T* x, const T* w,
                             T* out) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> sums[kRows][kCount];
  for (auto& row : sums) {
    for (auto& sum : row) sum = hn::Zero(d);
  }
  const auto add = [&](std::int64_t feature, auto&& load) HWY_ATTR {
    hn::Vec<decltype(d)> weights[kCount];
    for (int c = 0; c < kCount; ++c) weights[c] = hn::Load(d, w + c * shape.step + feature);
    for (int r = 0; r < kRows; ++r) {
      const auto v = load(x + r * shape.x_step + feature);
      for (int c = 0; c < kCount; ++c) sums[r][c] = hn::MulAdd(v, weights[c], sums[r][c]);
    }
  };
  std::int64_t feature = 0;
  for (; feature + lanes <= shape.features; feature += lanes) {
    add(feature, [&](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
  }
  if (feature < shape.features) {
    const std::int64_t rest = shape.features - feature;
    add(feature, [&](const T* from) HWY_ATTR {
      return load_first(d, from, static_cast<std::size_t>(rest), T{0});
    });
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kCount; ++c) {
      T& target = out[r * shape.columns + c];
      const T sum = hn::GetLane(hn::SumOfLanes(d, sums[r][c]));
      target = add_to ? target + sum : sum;
    }
  }
}

template <int kRows, class T>
HWY_INLINE void forward_rows(const NarrowShape& shape, bool add_to, const T* x, const T* w,
                             T* out) {
  for_column_groups(shape.columns, [&](std::int64_t first, int count) HWY_ATTR {
    const T* group = w + first * shape.step;
    switch (count) {
      case 1: return forward_tile<kRows, 1>(shape, add_to, x, group, out + first);
      case 2: return forward_tile<kRows, 2>(shape, add_to, x, group, out + first);
      case 3: return forward_tile<kRows, 3>(shape, add_to, x, group, out + first);
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
      case 4: return forward_tile<kRows, 4>(shape, add_to, x, group, out + first);
      default: return forward_tile<kRows, 5>(shape, add_to, x, group, out + first);
#else
      default: return;
#endif
    }
  });
}

// Lanes add up so many features at most before they are added together: long rows keep their
// digits, and the part of w in use its place in the cache.
constexpr std::int64_t kMostFeatures = 2048;
// The same for rows.
constexpr std::int64_t kMostRows = 256;

template <class T>
void forward(const NarrowShape& shape, const std::byte* x, const std::byte* w,
             std::byte* out) noexcept {
  auto* results = reinterpret_cast<T*>(out);
  for (std::int64_t first = 0; first < shape.features; first += kMostFeatures) {
    NarrowShape part = shape;
    part.features = std::min(kMostFeatures, shape.features - first);
    const T* rows = reinterpret_cast<const T*>(x) + first;
    const T* weights = reinterpret_cast<const T*>(w) + first;
    std::int64_t row = 0;
    for (; row + kVectors <= shape.rows; row += kVectors) {
      forward_rows<kVectors>(part, first > 0, rows + row * shape.x_step, weights,
                             results + row * shape.columns);
    }
    for (; row < shape.rows; ++row) {
      forward_rows<1>(part, first > 0, rows + row * shape.x_step, weights,
                      results + row * shape.columns);
    }
  }
}

// sums[c][feature …] for kCount columns and kWide vectors of features, the last of `count`
// elements.
template <int kWide, int kCount, bool kPart, class T>
HWY_INLINE void backward_tile(const NarrowShape& shape, const T* x, const T* d_, T* sums,
                              std::int64_t count) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> totals[kWide][kCount];
  for (int v = 0; v < kWide; ++v) {
    for (int c = 0; c < kCount; ++c) totals[v][c] = hn::Zero(d);
  }
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    hn::Vec<decltype(d)> factors[kCount];
    for (int c = 0; c < kCount; ++c) factors[c] = hn::Set(d, d_[row * shape.columns + c]);
    const T* from = x + row * shape.x_step;
    for (int v = 0; v < kWide; ++v) {
      const auto value = kPart ? load_first(d, from, static_cast<std::size_t>(count), T{0})
                               : hn::LoadU(d, from + v * lanes);
      for (int c = 0; c < kCount; ++c) totals[v][c] = hn::MulAdd(value, factors[c], totals[v][c]);
    }
  }
  for (int v = 0; v < kWide; ++v) {
    for (int c = 0; c < kCount; ++c) {
      T* const target = sums + c * shape.step + v * lanes;
      hn::Store(hn::Add(hn::Load(d, target), totals[v][c]), d, target);
    }
  }
}

template <int kCount, class T>
HWY_INLINE void backward_features(const NarrowShape& shape, const T* x, const T* d_, T* sums,
                                  std::int64_t first, std::int64_t count) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (count == kVectors * lanes) {
    return backward_tile<kVectors, kCount, false>(shape, x + first, d_, sums + first, 0);
  }
  std::int64_t done = 0;
  for (; done + lanes <= count; done += lanes) {
    backward_tile<1, kCount, false>(shape, x + first + done, d_, sums + first + done, 0);
  }
  if (done < count) {
    backward_tile<1, kCount, true>(shape, x + first + done, d_, sums + first + done, count - done);
  }
}

template <class T>
HWY_INLINE void backward_rows(const NarrowShape& part, const T* rows, const T* factors, T* totals) {
  const auto wide = static_cast<std::int64_t>(kVectors * hn::Lanes(hn::ScalableTag<T>()));
  for (std::int64_t feature = 0; feature < part.features; feature += wide) {
    const std::int64_t count = std::min(wide, part.features - feature);
    for_column_groups(part.columns, [&](std::int64_t first, int columns) HWY_ATTR {
      const T* by = factors + first;
      T* to = totals + first * part.step;
      switch (columns) {
        case 1: return backward_features<1>(part, rows, by, to, feature, count);
        case 2: return backward_features<2>(part, rows, by, to, feature, count);
        case 3: return backward_features<3>(part, rows, by, to, feature, count);
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
        case 4: return backward_features<4>(part, rows, by, to, feature, count);
        default: return backward_features<5>(part, rows, by, to, feature, count);
#else
        default: return;
#endif
      }
    });
  }
}

template <class T>
void backward(const NarrowShape& shape, const std::byte* x, const std::byte* d_,
              std::byte* sums) noexcept {
  for (std::int64_t row = 0; row < shape.rows; row += kMostRows) {
    NarrowShape part = shape;
    part.rows = std::min(kMostRows, shape.rows - row);
    backward_rows(part, reinterpret_cast<const T*>(x) + row * shape.x_step,
                  reinterpret_cast<const T*>(d_) + row * shape.columns, reinterpret_cast<T*>(sums));
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
