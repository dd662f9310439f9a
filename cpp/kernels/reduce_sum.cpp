// Sums: integers in 64 bits, float32 in double, float64 in double with its rounding errors.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_sum.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/reduce_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// Sums wrap, so they are unsigned inside.
template <class T>
struct IntegerSum {
  using In = T;
  using Acc = std::uint64_t;
  using Out = std::uint64_t;
  using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;

  static HWY_INLINE Acc neutral() { return 0; }
  static HWY_INLINE Acc lift(In x) { return static_cast<Acc>(static_cast<Wide>(x)); }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return a + b; }
  static HWY_INLINE Out result(Acc a) { return a; }

  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    if constexpr (sizeof(T) > 2) {
      return plain_total<IntegerSum>(x, count);
    } else {
      // Runs of narrow integers that cannot overflow 32 bits take twice the lanes.
      constexpr std::size_t kRun = 32768;
      Acc sum = 0;
      for (std::size_t i = 0; i < count; i += kRun) {
        sum += run_total(x + i, count - i < kRun ? count - i : kRun);
      }
      return sum;
    }
  }

 private:
  static HWY_INLINE Acc run_total(const In* x, std::size_t count) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += x[i];
    return static_cast<Acc>(std::int64_t{sum});
  }
};

// Squares of float32 as double, most of them four at a time: those are added before they are
// widened, which takes more time than all else. They are of one sign, so that is an error of two
// roundings at most.
struct WidenedSquare {
  using D = Widened::D;
  static constexpr std::size_t kRowsTogether = 4;

  static HWY_INLINE hn::Vec<D> load(const float* from, std::size_t) {
    return hn::PromoteTo(D(), square(Widened::Half(), from));
  }

  // Adds rows of kLanes elements, each to the sums of the lanes.
  template <std::size_t kLanes>
  static HWY_INLINE void add_rows(const float* from, hn::Vec<D>* sums) {
    const Floats d;
    ARN_UNROLL
    for (std::size_t lane = 0; lane < kLanes; lane += hn::MaxLanes(d)) {
      const auto row = [&](std::size_t number)
                           HWY_ATTR { return square(d, from + number * kLanes + lane); };
      const auto sum = hn::Add(hn::Add(row(0), row(1)), hn::Add(row(2), row(3)));
#if HWY_TARGET == HWY_SCALAR
      add(hn::PromoteTo(D(), sum), sums++);
#else
      add(hn::PromoteTo(D(), hn::LowerHalf(Widened::Half(), sum)), sums++);
      add(hn::PromoteTo(D(), hn::UpperHalf(Widened::Half(), sum)), sums++);
#endif
    }
  }

 private:
  using Floats = hn::ScalableTag<float>;
  template <class Tag>
  static HWY_INLINE hn::Vec<Tag> square(Tag tag, const float* from) {
    const auto x = hn::LoadU(tag, from);
    return hn::Mul(x, x);
  }
  static HWY_INLINE void add(hn::Vec<D> x, hn::Vec<D>* sum) { *sum = hn::Add(*sum, x); }
};

// Of the elements, or of their squares.
template <bool kSquares>
struct FloatSum {
  using In = float;
  using Acc = double;
  using Out = float;

  static HWY_INLINE Acc neutral() { return 0.0; }
  static HWY_INLINE Acc lift(In x) { return static_cast<Acc>(kSquares ? x * x : x); }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return a + b; }
  static HWY_INLINE Out result(Acc a) { return static_cast<Out>(a); }
  template <class V>
  static HWY_INLINE V combine_vectors(V a, V b) {
    return hn::Add(a, b);
  }
  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    using Access = std::conditional_t<kSquares, WidenedSquare, Widened>;
    return LaneTotal<FloatSum, 32, Access>::of(x, count);
  }
};

// A sum and what rounding took from it (D. E. Knuth, The Art of Computer Programming 2, 4.2.2,
// theorem B).
struct CompensatedSum {
  double sum;
  double error;
};

// Of the elements, or of their squares.
template <bool kSquares>
struct DoubleSum {
  using In = double;
  using Acc = CompensatedSum;
  using Out = double;

  static HWY_INLINE Acc neutral() { return {0.0, 0.0}; }
  static HWY_INLINE Acc lift(In x) { return {kSquares ? x * x : x, 0.0}; }
  static HWY_INLINE Acc combine(Acc a, Acc b) {
    const double sum = a.sum + b.sum;
    const double added = sum - a.sum;
    const double lost = (a.sum - (sum - added)) + (b.sum - added);
    return {sum, (a.error + b.error) + lost};
  }
  // The error of an infinite sum is NaN.
  static HWY_INLINE Out result(Acc a) { return std::isfinite(a.sum) ? a.sum + a.error : a.sum; }

  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    Acc sum = neutral();
    std::size_t i = 0;
    if (count >= 2 * kLanes) i = add_rows(x, count, sum);
    for (; i < count; ++i) sum = combine(sum, lift(x[i]));
    return sum;
  }

 private:
  using D = hn::ScalableTag<double>;
  using V = hn::Vec<D>;

  // Eight lanes on every target, in one vector or several.
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kVectors = kLanes / hn::MaxLanes(D());
  // Eight rows are added up plainly, in a tree, and only their sums with care: an error of three
  // roundings of each element at most, for a fifth of the work.
  static constexpr std::size_t kGroup = 8 * kLanes;

  static HWY_INLINE V row(const double* x, std::size_t index) {
    const V elements = hn::LoadU(D(), x + index * kLanes);
    return kSquares ? hn::Mul(elements, elements) : elements;
  }

  static HWY_INLINE V add_up_group(const double* x) {
    const V first = hn::Add(hn::Add(row(x, 0), row(x, 1)), hn::Add(row(x, 2), row(x, 3)));
    const V second = hn::Add(hn::Add(row(x, 4), row(x, 5)), hn::Add(row(x, 6), row(x, 7)));
    return hn::Add(first, second);
  }

  static HWY_INLINE void add_carefully(V x, V& sum, V& error) {
    const V next = hn::Add(sum, x);
    const V added = hn::Sub(next, sum);
    const V lost = hn::Add(hn::Sub(sum, hn::Sub(next, added)), hn::Sub(x, added));
    error = hn::Add(error, lost);
    sum = next;
  }

  // combine() for each lane.
  template <class Vec>
  static HWY_INLINE void combine_vectors(Vec& sum, Vec& error, Vec other, Vec other_error) {
    const Vec next = hn::Add(sum, other);
    const Vec added = hn::Sub(next, sum);
    const Vec lost = hn::Add(hn::Sub(sum, hn::Sub(next, added)), hn::Sub(other, added));
    error = hn::Add(hn::Add(error, other_error), lost);
    sum = next;
  }

  // The upper half of the lanes with the lower one until one is left.
  template <class Tag, class Vec = hn::Vec<Tag>>
  static HWY_INLINE Acc combine_lanes(Tag, Vec sum, Vec error) {
#if HWY_TARGET != HWY_SCALAR
    if constexpr (hn::MaxLanes(Tag()) > 1) {
      const hn::Half<Tag> half;
      auto low = hn::LowerHalf(half, sum);
      auto low_error = hn::LowerHalf(half, error);
      combine_vectors(low, low_error, hn::UpperHalf(half, sum), hn::UpperHalf(half, error));
      return combine_lanes(half, low, low_error);
    }
#endif
    return {hn::GetLane(sum), hn::GetLane(error)};
  }

  // Returns how many elements it took: all whole rows.
  static HWY_INLINE std::size_t add_rows(const double* x, std::size_t count, Acc& total) {
    const D d;
    V sums[kVectors];
    V errors[kVectors];
    ARN_UNROLL
    for (std::size_t k = 0; k < kVectors; ++k) sums[k] = errors[k] = hn::Zero(d);
    std::size_t i = 0;
    for (; i + kGroup <= count; i += kGroup) {
      ARN_UNROLL
      for (std::size_t k = 0; k < kVectors; ++k) {
        add_carefully(add_up_group(x + i + k * hn::MaxLanes(d)), sums[k], errors[k]);
      }
    }
    for (; i + kLanes <= count; i += kLanes) {
      ARN_UNROLL
      for (std::size_t k = 0; k < kVectors; ++k) {
        add_carefully(row(x + i + k * hn::MaxLanes(d), 0), sums[k], errors[k]);
      }
    }
    ARN_UNROLL
    for (std::size_t half = kVectors / 2; half > 0; half /= 2) {
      for (std::size_t k = 0; k < half; ++k) {
        combine_vectors(sums[k], errors[k], sums[k + half], errors[k + half]);
      }
    }
    total = combine(total, combine_lanes(d, sums[0], errors[0]));
    return i;
  }
};

template <class Policy>
BlockReduction float_sum(float cost) {
  constexpr DType dtype = dtype_of<typename Policy::In>();
  return ReductionOf<Policy>::entry("sum", dtype, DType::kFloat64, dtype, cost);
}

template <class... T>
void add_integer_sums(BlockTable& table, DType wide, Types<T...>) {
  (table.add(ReductionOf<IntegerSum<Stored<T>>>::entry("sum", dtype_of<T>(), wide, wide, 2.0F)),
   ...);
}

}  // namespace

void list_sum(BlockTable& table) {
  add_integer_sums(table, DType::kInt64, Types<bool>{} + SignedTypes{});
  add_integer_sums(table, DType::kUInt64, UnsignedTypes{});
  table.add(float_sum<FloatSum<false>>(2.0F));
  table.add(float_sum<DoubleSum<false>>(1.0F));
  table.add_square_sum(float_sum<FloatSum<true>>(2.0F));
  table.add_square_sum(float_sum<DoubleSum<true>>(1.0F));
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_sum);
void append_sum(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_sum)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
