// Loops that apply one operation to a block. Compiled once per SIMD target: include after
// hwy/foreach_target.h and hwy/highway.h.
//
// map1 … map3 are plain loops over a scalar `Op::apply`, which the compiler turns into vector code
// for the target of the region; vector1 and vector2 apply a functor on Highway vectors.

#if defined(ARN_BLOCK_LOOPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_BLOCK_LOOPS_INL
#undef ARN_BLOCK_LOOPS_INL
#else
#define ARN_BLOCK_LOOPS_INL
#endif

#include <cstddef>

#include "hwy/highway.h"

#include "kernels/registers-inl.hpp"

// Blocks overlap only element for element, so no iteration depends on another one: without this
// the compiler keeps a scalar copy of each loop for overlapping operands and runs it in place.
#undef ARN_INDEPENDENT_LOOP
#if defined(__clang__)
// Said of every loop, also of those that cannot be vectorised.
#pragma clang diagnostic ignored "-Wpass-failed"
#define ARN_INDEPENDENT_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define ARN_INDEPENDENT_LOOP _Pragma("GCC ivdep")
#endif

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Op, class Out, class A>
void map1(const void* const* in, void* out, std::size_t count) noexcept {
  const auto* a = static_cast<const A*>(in[0]);
  auto* result = static_cast<Out*>(out);
  ARN_INDEPENDENT_LOOP
  for (std::size_t i = 0; i < count; ++i) result[i] = Op::template apply<Out>(a[i]);
}

template <class Op, class Out, class A, class B>
void map2(const void* const* in, void* out, std::size_t count) noexcept {
  const auto* a = static_cast<const A*>(in[0]);
  const auto* b = static_cast<const B*>(in[1]);
  auto* result = static_cast<Out*>(out);
  ARN_INDEPENDENT_LOOP
  for (std::size_t i = 0; i < count; ++i) result[i] = Op::template apply<Out>(a[i], b[i]);
}

template <class Op, class Out, class A, class B, class C>
void map3(const void* const* in, void* out, std::size_t count) noexcept {
  const auto* a = static_cast<const A*>(in[0]);
  const auto* b = static_cast<const B*>(in[1]);
  const auto* c = static_cast<const C*>(in[2]);
  auto* result = static_cast<Out*>(out);
  ARN_INDEPENDENT_LOOP
  for (std::size_t i = 0; i < count; ++i) result[i] = Op::template apply<Out>(a[i], b[i], c[i]);
}

// A loop over `count` would become a call of memcpy, which costs more than it moves.
template <std::size_t kMax, class T>
HWY_INLINE void copy_some(const T* from, T* to, std::size_t count) {
  for (std::size_t i = 0; i < kMax; ++i) {
    if (i < count) to[i] = from[i];
  }
}

// The first `count` lanes, fewer than a vector has; the others are zero. For float and double.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_some(D d, const T* from, std::size_t count) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, count), d, from);
#else
  HWY_ALIGN T lanes[hn::MaxLanes(D())] = {};
  copy_some<hn::MaxLanes(D())>(from, lanes, count);
  return hn::Load(d, lanes);
#endif
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_some(hn::Vec<D> v, D d, T* to, std::size_t count) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, count), d, to);
#else
  HWY_ALIGN T lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  copy_some<hn::MaxLanes(D())>(lanes, to, count);
#endif
}

// How vectors reach memory: as they are …
template <class T>
struct Direct {
  using Memory = T;
  using D = hn::ScalableTag<T>;
  static HWY_INLINE hn::Vec<D> load(const T* from, std::size_t left) {
    const D d;
    return HWY_LIKELY(left >= hn::Lanes(d)) ? hn::LoadU(d, from) : load_some(d, from, left);
  }
  static HWY_INLINE void store(hn::Vec<D> v, T* to, std::size_t left) {
    const D d;
    if (HWY_LIKELY(left >= hn::Lanes(d))) {
      hn::StoreU(v, d, to);
    } else {
      store_some(v, d, to, left);
    }
  }
};

// … or float in memory and double in registers: functions that nobody calls in an inner loop of
// training need no second set of polynomials, and come out correctly rounded almost everywhere.
struct Widened {
  using Memory = float;
  using D = hn::ScalableTag<double>;
  using Half = hn::Rebind<float, D>;
  static HWY_INLINE hn::Vec<D> load(const float* from, std::size_t left) {
    const Half half;
    return hn::PromoteTo(D(), HWY_LIKELY(left >= hn::Lanes(half)) ? hn::LoadU(half, from)
                                                                  : load_some(half, from, left));
  }
  static HWY_INLINE void store(hn::Vec<D> v, float* to, std::size_t left) {
    const Half half;
    const auto narrow = demote(v);
    if (HWY_LIKELY(left >= hn::Lanes(half))) {
      hn::StoreU(narrow, half, to);
    } else {
      store_some(narrow, half, to, left);
    }
  }

 private:
  static HWY_INLINE hn::Vec<Half> demote(hn::Vec<D> v) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
    // DemoteTo would make the largest float of inf here.
    const D d;
    HWY_ALIGN double wide[hn::MaxLanes(D())];
    HWY_ALIGN float narrow[hn::MaxLanes(D())];
    hn::Store(v, d, wide);
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) narrow[i] = static_cast<float>(wide[i]);
    return hn::Load(Half(), narrow);
#else
    return hn::DemoteTo(Half(), v);
#endif
  }
};

template <class Op, class Access>
void vector1(const void* const* in, void* out, std::size_t count) noexcept {
  using T = typename Access::Memory;
  const typename Access::D d;
  const auto* a = static_cast<const T*>(in[0]);
  auto* result = static_cast<T*>(out);
  for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto x = Access::load(a + i, count - i);
    Access::store(Op::apply(d, x), result + i, count - i);
  }
}

template <class Op, class Access>
void vector2(const void* const* in, void* out, std::size_t count) noexcept {
  using T = typename Access::Memory;
  const typename Access::D d;
  const auto* a = static_cast<const T*>(in[0]);
  const auto* b = static_cast<const T*>(in[1]);
  auto* result = static_cast<T*>(out);
  for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto x = Access::load(a + i, count - i);
    const auto y = Access::load(b + i, count - i);
    Access::store(Op::apply(d, x, y), result + i, count - i);
  }
}

template <class Op, class Access>
void vector3(const void* const* in, void* out, std::size_t count) noexcept {
  using T = typename Access::Memory;
  const typename Access::D d;
  const auto* a = static_cast<const T*>(in[0]);
  const auto* b = static_cast<const T*>(in[1]);
  const auto* c = static_cast<const T*>(in[2]);
  auto* result = static_cast<T*>(out);
  for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto x = Access::load(a + i, count - i);
    const auto y = Access::load(b + i, count - i);
    const auto z = Access::load(c + i, count - i);
    Access::store(Op::apply(d, x, y, z), result + i, count - i);
  }
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_BLOCK_LOOPS_INL
