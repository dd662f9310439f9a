#include "kernels/few_features.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/few_features.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/narrow_tile-inl.hpp"
#include "kernels/registers-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Chains of sums that go on side by side, each of which waits for its last addition.
constexpr int kChains = 4;
// Lanes add up so many rows at most before they are added together: long sums keep their digits.
constexpr std::int64_t kMostRows = 1024;

template <class T>
using Vector = hn::Vec<hn::ScalableTag<T>>;

template <class T>
std::int64_t lanes_of() {
  return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

// Elements `step` apart, zeros behind the last.
template <class T>
HWY_INLINE Vector<T> load_strided(const T* from, std::int64_t step, std::int64_t count) {
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i] = from[i * step];
  return hn::Load(hn::ScalableTag<T>(), lanes);
}

// The columns of a matrix of kCount columns whose rows are `step` elements apart, for as many rows
// as a vector has lanes, or for the first `count` of those.
template <int kCount, class T>
HWY_INLINE void load_columns(const T* rows, std::int64_t step, std::int64_t count,
                             Vector<T> (&columns)[kCount]) {
  const hn::ScalableTag<T> d;
  if (step != kCount || count != lanes_of<T>()) {
    ARN_UNROLL
    for (int c = 0; c < kCount; ++c) columns[c] = load_strided(rows + c, step, count);
  } else if constexpr (kCount == 1) {
    columns[0] = hn::LoadU(d, rows);
  } else if constexpr (kCount == 2) {
    hn::LoadInterleaved2(d, rows, columns[0], columns[1]);
  } else {
    static_assert(kCount == kFewFeatures);
    hn::LoadInterleaved3(d, rows, columns[0], columns[1], columns[2]);
  }
}

// visit(row, count) for all rows, as many as a vector has lanes at a time.
template <class T, class Visit>
HWY_INLINE void for_vectors(std::int64_t row, std::int64_t rows, Visit&& visit) {
  const std::int64_t lanes = lanes_of<T>();
  for (; row + lanes <= rows; row += lanes) visit(row, lanes);
  if (row < rows) visit(row, rows - row);
}

template <int kFeatures, class T>
void forward_features(const NarrowShape& shape, const T* x, const T* w, T* out) {
  const hn::ScalableTag<T> d;
  for_vectors<T>(0, shape.rows, [&](std::int64_t row, std::int64_t count) HWY_ATTR {
    Vector<T> features[kFeatures];
    load_columns(x + row * shape.x_step, shape.x_step, count, features);
    for (std::int64_t column = 0; column < shape.columns; ++column) {
      const T* const weights = w + column * shape.step;
      Vector<T> sum = hn::Mul(features[0], hn::Set(d, weights[0]));
      ARN_UNROLL
      for (int f = 1; f < kFeatures; ++f) {
        sum = hn::MulAdd(features[f], hn::Set(d, weights[f]), sum);
      }
      T* const target = out + row * shape.columns + column;
      if (shape.columns == 1 && count == lanes_of<T>()) {
        hn::StoreU(sum, d, target);
        continue;
      }
      HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
      hn::Store(sum, d, lanes);
      for (std::int64_t i = 0; i < count; ++i) target[i * shape.columns] = lanes[i];
    }
  });
}

// sums[f] of one column.
template <int kFeatures, class T>
void backward_column(const NarrowShape& shape, const T* x, const T* factors, T* sums) {
  const hn::ScalableTag<T> d;
  using Sums = Vector<T>[kFeatures];
  Sums totals[kChains];
  ARN_UNROLL
  for (auto& chain : totals) {
    ARN_UNROLL
    for (auto& total : chain) total = hn::Zero(d);
  }
  const auto add = [&](Sums& chain, std::int64_t row, std::int64_t count) HWY_ATTR {
    Vector<T> features[kFeatures];
    Vector<T> factor[1];
    load_columns(x + row * shape.x_step, shape.x_step, count, features);
    load_columns(factors + row * shape.columns, shape.columns, count, factor);
    ARN_UNROLL
    for (int f = 0; f < kFeatures; ++f) chain[f] = hn::MulAdd(features[f], factor[0], chain[f]);
  };
  const std::int64_t lanes = lanes_of<T>();
  std::int64_t row = 0;
  for (; row + kChains * lanes <= shape.rows; row += kChains * lanes) {
    ARN_UNROLL
    for (int chain = 0; chain < kChains; ++chain) add(totals[chain], row + chain * lanes, lanes);
  }
  for_vectors<T>(row, shape.rows, [&](std::int64_t first, std::int64_t count) HWY_ATTR {
    add(totals[0], first, count);
  });
  static_assert(kChains == 4);
  ARN_UNROLL
  for (int f = 0; f < kFeatures; ++f) {
    const auto total =
        hn::Add(hn::Add(totals[0][f], totals[1][f]), hn::Add(totals[2][f], totals[3][f]));
    sums[f] += hn::GetLane(hn::SumOfLanes(d, total));
  }
}

template <int kFeatures, class T>
void backward_features(const NarrowShape& shape, const T* x, const T* factors, T* sums) {
  for (std::int64_t row = 0; row < shape.rows; row += kMostRows) {
    NarrowShape part = shape;
    part.rows = std::min(kMostRows, shape.rows - row);
    for (std::int64_t column = 0; column < shape.columns; ++column) {
      backward_column<kFeatures>(part, x + row * shape.x_step,
                                 factors + row * shape.columns + column,
                                 sums + column * shape.step);
    }
  }
}

template <class T>
void forward(const NarrowShape& shape, const std::byte* x_, const std::byte* w_,
             std::byte* out_) noexcept {
  const auto* x = reinterpret_cast<const T*>(x_);
  const auto* w = reinterpret_cast<const T*>(w_);
  auto* out = reinterpret_cast<T*>(out_);
  with_count<1, kFewFeatures>(shape.features, [&](auto count) HWY_ATTR {
    forward_features<decltype(count)::value>(shape, x, w, out);
  });
}

template <class T>
void backward(const NarrowShape& shape, const std::byte* x_, const std::byte* d_,
              std::byte* sums_) noexcept {
  const auto* x = reinterpret_cast<const T*>(x_);
  const auto* d = reinterpret_cast<const T*>(d_);
  auto* sums = reinterpret_cast<T*>(sums_);
  with_count<1, kFewFeatures>(shape.features, [&](auto count) HWY_ATTR {
    backward_features<decltype(count)::value>(shape, x, d, sums);
  });
}

template <class T>
constexpr NarrowProduct kFewFeaturesProduct = {&forward<T>, &backward<T>};

}  // namespace

NarrowProduct few_features_of(DType dtype) {
  return dtype == DType::kFloat32 ? kFewFeaturesProduct<float> : kFewFeaturesProduct<double>;
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(few_features_of);

NarrowProduct few_features_product(DType dtype) {
  return HWY_DYNAMIC_DISPATCH(few_features_of)(dtype);
}

}  // namespace arignote
#endif  // HWY_ONCE
