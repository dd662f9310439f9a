// Conversions of blocks between float and float16 or bfloat16. Compiled once per SIMD target:
// include after hwy/foreach_target.h and hwy/highway.h.
//
// In software (core/half.hpp) as in hardware: every target gives the same bits.

#if defined(ARN_HALF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_HALF_INL
#undef ARN_HALF_INL
#else
#define ARN_HALF_INL
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

#include "core/half.hpp"
#include "kernels/block_loops-inl.hpp"

// Where Highway has instructions for it; its versions in software round otherwise.
#undef ARN_HALF_IN_HARDWARE
#if (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3) && !defined(HWY_DISABLE_F16C)
#define ARN_HALF_IN_HARDWARE 1
#elif HWY_ARCH_ARM_A64 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define ARN_HALF_IN_HARDWARE 1
#else
#define ARN_HALF_IN_HARDWARE 0
#endif

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

struct Widen {
  template <class Out>
  static HWY_INLINE Out apply(std::uint16_t half) {
    return widened(half);
  }
};

struct Narrow {
  template <class Out>
  static HWY_INLINE Out apply(float value) {
    return narrowed(value);
  }
};

struct RoundToOdd {
  template <class Out>
  static HWY_INLINE Out apply(double value) {
    return rounded_to_odd(value);
  }
};

inline void widen(const std::uint16_t* from, float* to, std::size_t count) {
  std::size_t i = 0;
#if ARN_HALF_IN_HARDWARE
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> half;
  const hn::Rebind<std::uint16_t, decltype(d)> bits;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    hn::StoreU(hn::PromoteTo(d, hn::BitCast(half, hn::LoadU(bits, from + i))), d, to + i);
  }
#endif
  const void* rest = from + i;
  map1<Widen, float, std::uint16_t>(&rest, to + i, count - i);
}

inline void narrow(const float* from, std::uint16_t* to, std::size_t count) {
  std::size_t i = 0;
#if ARN_HALF_IN_HARDWARE
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> half;
  const hn::Rebind<std::uint16_t, decltype(d)> bits;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    hn::StoreU(hn::BitCast(bits, hn::DemoteTo(half, hn::LoadU(d, from + i))), bits, to + i);
  }
#endif
  const void* rest = from + i;
  map1<Narrow, std::uint16_t, float>(&rest, to + i, count - i);
}

// --- bfloat16, in software alone: it takes a few operations on integers

struct WidenBFloat {
  template <class Out>
  static HWY_INLINE Out apply(std::uint16_t bfloat) {
    return widened_bfloat(bfloat);
  }
};

struct NarrowBFloat {
  template <class Out>
  static HWY_INLINE Out apply(float value) {
    return narrowed_bfloat(value);
  }
};

inline void widen_bfloat(const std::uint16_t* from, float* to, std::size_t count) {
  const void* source = from;
  map1<WidenBFloat, float, std::uint16_t>(&source, to, count);
}

inline void narrow_bfloat(const float* from, std::uint16_t* to, std::size_t count) {
  const void* source = from;
  map1<NarrowBFloat, std::uint16_t, float>(&source, to, count);
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_HALF_INL
