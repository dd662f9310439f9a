#include "kernels/softmax_rows.hpp"

#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_rows.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/math_exp-inl.hpp"
#include "kernels/math_log-inl.hpp"
#include "kernels/partial-inl.hpp"
#include "kernels/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Sums are kept in float64: of float32, those of the lower and the upper half of the lanes; of
// float64, those of all lanes and what rounding has taken from them.
template <class T>
class Sum {
 public:
  using D = hn::ScalableTag<T>;
  HWY_INLINE Sum() : low_(hn::Zero(kWide)), high_(hn::Zero(kWide)) {}

  HWY_INLINE void add(hn::Vec<D> v) {
    if constexpr (sizeof(T) == sizeof(double)) {
      low_ = hn::Add(low_, v);
    } else {
#if HWY_TARGET == HWY_SCALAR
      low_ = hn::Add(low_, hn::PromoteTo(kWide, v));
#else
      const hn::Half<D> half;
      low_ = hn::Add(low_, hn::PromoteTo(kWide, hn::LowerHalf(half, v)));
      high_ = hn::Add(high_, hn::PromoteTo(kWide, hn::UpperHalf(half, v)));
#endif
    }
  }
  // Carefully, however often.
  HWY_INLINE void add(const Sum& other) {
    const auto sum = hn::Add(low_, other.low_);
    if constexpr (sizeof(T) == sizeof(double)) {
      const auto added = hn::Sub(sum, low_);
      const auto lost = hn::Add(hn::Sub(low_, hn::Sub(sum, added)), hn::Sub(other.low_, added));
      high_ = hn::Add(high_, lost);
    }
    high_ = hn::Add(high_, other.high_);
    low_ = sum;
  }
  HWY_INLINE double total() const {
    return hn::GetLane(hn::SumOfLanes(kWide, hn::Add(low_, high_)));
  }
  // The sum of each lane; totals is aligned.
  HWY_INLINE void store(double* totals) const {
    hn::Store(low_, kWide, totals);
    if constexpr (sizeof(T) < sizeof(double) && HWY_TARGET != HWY_SCALAR) {
      hn::Store(high_, kWide, totals + hn::Lanes(kWide));
    }
  }

 private:
  static constexpr hn::ScalableTag<double> kWide{};
  hn::Vec<hn::ScalableTag<double>> low_, high_;
};

template <class T>
HWY_INLINE T row_max(const T* x, std::size_t length) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr T kLeast = -std::numeric_limits<T>::infinity();
  auto a = hn::Set(d, kLeast);
  auto b = a;
  std::size_t i = 0;
  for (; i + 2 * lanes <= length; i += 2 * lanes) {
    a = hn::Max(a, hn::LoadU(d, x + i));
    b = hn::Max(b, hn::LoadU(d, x + i + lanes));
  }
  if (i + lanes <= length) {
    a = hn::Max(a, hn::LoadU(d, x + i));
    i += lanes;
  }
  if (i < length) b = hn::Max(b, load_first(d, x + i, length - i, kLeast));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
}

// exp(x - reference). Where that is 0 the exponential of 0 is taken instead, and dropped: a
// processor can take a hundred times longer to underflow, and -inf stands in every masked row.
template <class D, class V>
HWY_INLINE V exp_of_difference(D d, V x, V reference) {
  const V difference = hn::Sub(x, reference);
  const auto vanishes = hn::Lt(difference, hn::Set(d, ExpFor<D>::kLowest));
  return hn::IfThenZeroElse(vanishes, Exp::apply(d, hn::IfThenZeroElse(vanishes, difference)));
}

// The maximum may or may not have noticed a NaN, but each NaN passes through the exponential, as
// does the NaN of inf - inf: so the sum is NaN whenever the formula's is.
template <class T, bool kStore>
HWY_INLINE ExpSum exp_sum(const T* x, T* out, std::size_t length) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr T kLeast = -std::numeric_limits<T>::infinity();
  constexpr std::size_t kPart = 64;
  const T max = row_max(x, length);
  const auto reference = hn::Set(d, max == kLeast ? T{0} : max);
  Sum<T> sum;
  std::size_t i = 0;
  while (i + lanes <= length) {
    // Sums of sums, since one long chain of plain additions would lose digits of a float64.
    Sum<T> part;
    const std::size_t whole = i + (length - i) / lanes * lanes;
    const std::size_t end = whole - i < kPart * lanes ? whole : i + kPart * lanes;
    for (; i < end; i += lanes) {
      const auto e = exp_of_difference(d, hn::LoadU(d, x + i), reference);
      if constexpr (kStore) hn::StoreU(e, d, out + i);
      part.add(e);
    }
    sum.add(part);
  }
  if (i < length) {
    const auto tail = load_first(d, x + i, length - i, kLeast);
    const auto e = exp_of_difference(d, tail, reference);
    if constexpr (kStore) store_first(e, d, out + i, length - i);
    sum.add(e);
  }
  return {.max = static_cast<double>(max), .sum = sum.total()};
}

// So short rows are done together, one in each lane: a row in a vector of its own would leave lanes
// empty, and the sum over lanes takes as long as the exponentials.
constexpr std::int64_t kMostShort = 16;

template <class T>
class ShortRows {
 public:
  static constexpr std::int64_t kMost = HWY_MAX_BYTES / sizeof(T);
  static std::int64_t most() { return static_cast<std::int64_t>(hn::Lanes(d)); }

  // Lanes without a row repeat the last one.
  HWY_INLINE void load(const RowBlock& block, std::int64_t first) {
    length_ = block.length;
    rows_ = block.rows - first < most() ? block.rows - first : most();
    transpose<Bits>({block.x + first * block.x_stride, block.x_stride}, rows_, length_,
                    {as_bytes(), stride()});
    for (std::int64_t lane = rows_; lane < most(); ++lane) {
      for (std::int64_t i = 0; i < length_; ++i) {
        values_[i * most() + lane] = values_[i * most() + rows_ - 1];
      }
    }
  }
  std::int64_t rows() const { return rows_; }

  // Replaces elements by exp(x - max), and gives the maxima and the sums.
  HWY_INLINE void exponentials(T* max, double* sums) {
    const auto least = hn::Set(d, -std::numeric_limits<T>::infinity());
    auto largest = least;
    for (std::int64_t i = 0; i < length_; ++i) largest = hn::Max(largest, column(i));
    hn::Store(largest, d, max);
    const auto reference = hn::IfThenZeroElse(hn::Eq(largest, least), largest);
    Sum<T> sum;
    for (std::int64_t i = 0; i < length_; ++i) {
      const auto e = exp_of_difference(d, column(i), reference);
      hn::Store(e, d, values_ + i * most());
      sum.add(e);
    }
    sum.store(sums);
  }

  HWY_INLINE void store_scaled(const T* factors, const RowBlock& block, std::int64_t first) {
    const auto factor = hn::Load(d, factors);
    for (std::int64_t i = 0; i < length_; ++i) {
      hn::Store(hn::Mul(column(i), factor), d, values_ + i * most());
    }
    transpose<Bits>({as_bytes(), stride()}, length_, rows_,
                    {block.out + first * block.out_stride, block.out_stride});
  }

 private:
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static constexpr hn::ScalableTag<T> d{};
  static std::int64_t stride() { return most() * static_cast<std::int64_t>(sizeof(T)); }
  std::byte* as_bytes() { return reinterpret_cast<std::byte*>(values_); }
  HWY_INLINE hn::Vec<hn::ScalableTag<T>> column(std::int64_t i) const {
    return hn::Load(d, values_ + i * most());
  }

  HWY_ALIGN T values_[kMostShort * kMost];
  std::int64_t length_ = 0;
  std::int64_t rows_ = 0;
};

template <class T>
void short_exp_sums(const RowBlock& block, ExpSum* sums) {
  using Rows = ShortRows<T>;
  Rows rows;
  HWY_ALIGN T max[Rows::kMost] = {};
  HWY_ALIGN double totals[Rows::kMost] = {};
  for (std::int64_t first = 0; first < block.rows; first += Rows::most()) {
    rows.load(block, first);
    rows.exponentials(max, totals);
    for (std::int64_t lane = 0; lane < rows.rows(); ++lane) {
      sums[first + lane] = {.max = static_cast<double>(max[lane]), .sum = totals[lane]};
    }
  }
}

template <class T>
void short_softmax(const RowBlock& block, const double* weights, ExpSum* sums) {
  using Rows = ShortRows<T>;
  Rows rows;
  HWY_ALIGN T factors[Rows::kMost] = {};
  HWY_ALIGN double totals[Rows::kMost] = {};
  for (std::int64_t first = 0; first < block.rows; first += Rows::most()) {
    rows.load(block, first);
    rows.exponentials(factors, totals);
    for (std::int64_t lane = 0; sums != nullptr && lane < rows.rows(); ++lane) {
      sums[first + lane] = {.max = static_cast<double>(factors[lane]), .sum = totals[lane]};
    }
    for (std::int64_t lane = 0; lane < Rows::most(); ++lane) {
      const bool has_weight = weights != nullptr && lane < rows.rows();
      const double weight = has_weight ? weights[first + lane] : 1.0;
      factors[lane] = static_cast<T>(weight / totals[lane]);
    }
    rows.store_scaled(factors, block, first);
  }
}

template <class T, bool kStore>
void exp_sums(const RowBlock& block, ExpSum* sums) noexcept {
  if (!kStore && block.length <= kMostShort) return short_exp_sums<T>(block, sums);
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const auto* x = reinterpret_cast<const T*>(block.x + row * block.x_stride);
    auto* out = kStore ? reinterpret_cast<T*>(block.out + row * block.out_stride) : nullptr;
    sums[row] = exp_sum<T, kStore>(x, out, static_cast<std::size_t>(block.length));
  }
}

template <class T>
HWY_INLINE void scale_row(T* out, std::size_t length, double factor) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto factors = hn::Set(d, static_cast<T>(factor));
  std::size_t i = 0;
  for (; i + lanes <= length; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, out + i), factors), d, out + i);
  }
  if (i < length) {
    const auto tail = load_first(d, out + i, length - i, T{0});
    store_first(hn::Mul(tail, factors), d, out + i, length - i);
  }
}

template <class T>
void scale(const RowBlock& block, double factor) noexcept {
  for (std::int64_t row = 0; row < block.rows; ++row) {
    auto* out = reinterpret_cast<T*>(block.out + row * block.out_stride);
    scale_row(out, static_cast<std::size_t>(block.length), factor);
  }
}

template <class T>
void softmax(const RowBlock& block, const double* weights, ExpSum* sums) noexcept {
  if (block.length <= kMostShort) return short_softmax<T>(block, weights, sums);
  const auto length = static_cast<std::size_t>(block.length);
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const auto* x = reinterpret_cast<const T*>(block.x + row * block.x_stride);
    auto* out = reinterpret_cast<T*>(block.out + row * block.out_stride);
    const double weight = weights == nullptr ? 1.0 : weights[row];
    // The sum of a row of nothing but -inf is zero, and 0 * (1 / 0) the NaN that it should be.
    const ExpSum sum = exp_sum<T, true>(x, out, length);
    scale_row(out, length, weight / sum.sum);
    if (sums != nullptr) sums[row] = sum;
  }
}

template <class T>
void shift(const RowBlock& block, const ExpSum* totals) noexcept {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto length = static_cast<std::size_t>(block.length);
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const auto* x = reinterpret_cast<const T*>(block.x + row * block.x_stride);
    auto* out = reinterpret_cast<T*>(block.out + row * block.out_stride);
    const auto max = hn::Set(d, static_cast<T>(totals[row].max));
    const auto log_sum = hn::Set(d, static_cast<T>(totals[row].sum));
    std::size_t i = 0;
    for (; i + lanes <= length; i += lanes) {
      hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(d, x + i), max), log_sum), d, out + i);
    }
    if (i < length) {
      const auto tail = load_first(d, x + i, length - i, T{0});
      store_first(hn::Sub(hn::Sub(tail, max), log_sum), d, out + i, length - i);
    }
  }
}

void log_sums(ExpSum* sums, std::int64_t count) noexcept {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  HWY_ALIGN double values[HWY_MAX_BYTES / sizeof(double)];
  for (std::int64_t first = 0; first < count; first += lanes) {
    const std::int64_t some = count - first < lanes ? count - first : lanes;
    for (std::int64_t i = 0; i < lanes; ++i) values[i] = i < some ? sums[first + i].sum : 1.0;
    hn::Store(Log::apply(d, hn::Load(d, values)), d, values);
    for (std::int64_t i = 0; i < some; ++i) sums[first + i].sum = values[i];
  }
}

template <class T>
constexpr SoftmaxRows kRows = {&softmax<T>, &exp_sums<T, true>, &exp_sums<T, false>,
                               &scale<T>,   &shift<T>,          &log_sums};

}  // namespace

SoftmaxRows rows_of(DType dtype) { return dtype == DType::kFloat32 ? kRows<float> : kRows<double>; }

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(rows_of);

SoftmaxRows softmax_rows(DType dtype) { return HWY_DYNAMIC_DISPATCH(rows_of)(dtype); }

}  // namespace arignote
#endif  // HWY_ONCE
