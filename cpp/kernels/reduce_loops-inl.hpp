// Makes the six functions of a reduction from a policy. Compiled once per SIMD target: include
// after hwy/foreach_target.h and hwy/highway.h.
//
// A policy names In and Acc (types in memory) and Out, and has
//   neutral()                the accumulator that changes nothing
//   lift(In)                 one element as an accumulator
//   combine(Acc, Acc)        ⊕
//   total(const In*, count)  a block as an accumulator
//   result(Acc)              the value in the output's type

#if defined(ARN_REDUCE_LOOPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_REDUCE_LOOPS_INL
#undef ARN_REDUCE_LOOPS_INL
#else
#define ARN_REDUCE_LOOPS_INL
#endif

#include <cstddef>

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

template <class Policy>
struct ReductionOf {
  using In = typename Policy::In;
  using Acc = typename Policy::Acc;
  using Out = typename Policy::Out;

  static void start(void* acc, std::size_t count) noexcept {
    auto* a = static_cast<Acc*>(acc);
    for (std::size_t i = 0; i < count; ++i) a[i] = Policy::neutral();
  }

  static void fold(const void* in, void* acc, std::size_t count) noexcept {
    auto* a = static_cast<Acc*>(acc);
    *a = Policy::combine(*a, Policy::total(static_cast<const In*>(in), count));
  }

  static void merge(const void* in, void* acc, std::size_t count) noexcept {
    const auto* x = static_cast<const In*>(in);
    auto* a = static_cast<Acc*>(acc);
    ARN_INDEPENDENT_LOOP
    for (std::size_t i = 0; i < count; ++i) a[i] = Policy::combine(a[i], Policy::lift(x[i]));
  }

  static void join(const void* other, void* acc, std::size_t count) noexcept {
    const auto* b = static_cast<const Acc*>(other);
    auto* a = static_cast<Acc*>(acc);
    ARN_INDEPENDENT_LOOP
    for (std::size_t i = 0; i < count; ++i) a[i] = Policy::combine(a[i], b[i]);
  }

  static void finish(const void* acc, void* out, std::size_t count) noexcept {
    const auto* a = static_cast<const Acc*>(acc);
    auto* result = static_cast<Out*>(out);
    for (std::size_t i = 0; i < count; ++i) result[i] = Policy::result(a[i]);
  }

  static void whole(const void* in, void* out, std::size_t count) noexcept {
    const Acc total = Policy::total(static_cast<const In*>(in), count);
    *static_cast<Out*>(out) = Policy::result(Policy::combine(Policy::neutral(), total));
  }

  static BlockReduction entry(std::string_view name, DType in, DType acc, DType out, float cost) {
    return {name, in, acc, out, sizeof(Acc), &start, &fold, &merge, &join, &finish, &whole, cost};
  }
};

// The combination of a whole block, left to the compiler: for ⊕ that may be reordered freely.
template <class Policy>
HWY_INLINE typename Policy::Acc plain_total(const typename Policy::In* x, std::size_t count) {
  auto total = Policy::neutral();
  for (std::size_t i = 0; i < count; ++i) total = Policy::combine(total, Policy::lift(x[i]));
  return total;
}

// The combination of a block of floating point in an order that is the same on every target:
// element i goes to lane i % kLanes, then the upper half of the lanes is combined with the lower
// half until one is left. Access loads elements, and may add some rows of kLanes of them at a time.
template <class Policy, std::size_t kLanes,
          class Access = std::conditional_t<sizeof(typename Policy::In) == sizeof(double),
                                            Direct<double>, Widened>>
struct LaneTotal {
  using In = typename Policy::In;
  using D = typename Access::D;
  static constexpr std::size_t kVectors = kLanes / hn::MaxLanes(D());

  static HWY_INLINE double of(const In* x, std::size_t count) {
    if (count < kLanes) return of_few(x, count);
    const D d;
    hn::Vec<D> vectors[kVectors];
    ARN_UNROLL
    for (auto& v : vectors) v = hn::Set(d, Policy::neutral());
    std::size_t i = 0;
    if constexpr (requires { Access::kRowsTogether; }) {
      constexpr std::size_t kTogether = Access::kRowsTogether * kLanes;
      for (; i + kTogether <= count; i += kTogether) {
        Access::template add_rows<kLanes>(x + i, vectors);
      }
    }
    for (; i + kLanes <= count; i += kLanes) {
      ARN_UNROLL
      for (std::size_t k = 0; k < kVectors; ++k) {
        const auto loaded = Access::load(x + i + k * hn::Lanes(d), kLanes);
        vectors[k] = Policy::combine_vectors(vectors[k], loaded);
      }
    }
    if (i < count) add_rest(x + i, count - i, vectors);
    return combined(vectors);
  }

 private:
  // Fewer than kLanes elements, one for each of the first lanes.
  static HWY_INLINE void add_rest(const In* x, std::size_t count, hn::Vec<D>* vectors) {
    const D d;
    HWY_ALIGN double lanes[kLanes];
    ARN_UNROLL
    for (std::size_t k = 0; k < kVectors; ++k) {
      hn::Store(vectors[k], d, lanes + k * hn::Lanes(d));
    }
    for (std::size_t k = 0; k < count; ++k) {
      lanes[k] = Policy::combine(lanes[k], Policy::lift(x[k]));
    }
    ARN_UNROLL
    for (std::size_t k = 0; k < kVectors; ++k) {
      vectors[k] = hn::Load(d, lanes + k * hn::Lanes(d));
    }
  }

  static HWY_INLINE double combined(hn::Vec<D>* vectors) {
    ARN_UNROLL
    for (std::size_t half = kVectors / 2; half > 0; half /= 2) {
      for (std::size_t k = 0; k < half; ++k) {
        vectors[k] = Policy::combine_vectors(vectors[k], vectors[k + half]);
      }
    }
    return combined_lanes(D(), vectors[0]);
  }

  template <class Tag>
  static HWY_INLINE double combined_lanes(Tag /*tag*/, hn::Vec<Tag> v) {
#if HWY_TARGET != HWY_SCALAR
    if constexpr (hn::MaxLanes(Tag()) > 1) {
      const hn::Half<Tag> half;
      const auto low = hn::LowerHalf(half, v);
      return combined_lanes(half, Policy::combine_vectors(low, hn::UpperHalf(half, v)));
    }
#endif
    return hn::GetLane(v);
  }

  // Four lanes hide the latency of a short block.
  static HWY_INLINE double of_few(const In* x, std::size_t count) {
    double lanes[4] = {Policy::neutral(), Policy::neutral(), Policy::neutral(), Policy::neutral()};
    for (std::size_t i = 0; i < count; ++i) {
      lanes[i % 4] = Policy::combine(lanes[i % 4], Policy::lift(x[i]));
    }
    return Policy::combine(Policy::combine(lanes[0], lanes[2]),
                           Policy::combine(lanes[1], lanes[3]));
  }
};

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_REDUCE_LOOPS_INL
