// Conversions of blocks between float16 and float. Compiled once per SIMD target: include after
// hwy/foreach_target.h and hwy/highway.h.
//
// They round to nearest, ties to even, and make NaNs quiet and keep the rest of their bits, in
// software as in hardware: every target gives the same bits.

#if defined(ARN_HALF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_HALF_INL
#undef ARN_HALF_INL
#else
#define ARN_HALF_INL
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

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

// The standard library's would be a symbol that the linker shares between targets.
template <class To, class From>
HWY_INLINE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

// The bits of a float that differ from those of a float16 shifted in its place: the bias of the
// exponent, and twice that where the exponent is all ones.
constexpr std::uint32_t kBias = std::uint32_t{127 - 15} << 23;
constexpr std::uint32_t kQuiet = std::uint32_t{1} << 22;

struct Widen {
  template <class Out>
  static HWY_INLINE Out apply(std::uint16_t half) {
    constexpr std::uint32_t kOnes = std::uint32_t{0x7C00} << 13;
    constexpr std::uint32_t kLeast = std::uint32_t{1} << 23;
    const std::uint32_t magnitude = (half & std::uint32_t{0x7FFF}) << 13;
    const std::uint32_t normal = magnitude + kBias;
    const std::uint32_t special = (normal + kBias) | (magnitude > kOnes ? kQuiet : 0);
    // A subnormal one is the mantissa of a float from which its leading one is taken.
    const float lifted = bits_as<float>(normal + kLeast);
    const auto small = bits_as<std::uint32_t>(lifted - bits_as<float>(kBias + kLeast));
    const std::uint32_t finite = magnitude < kLeast ? small : normal;
    const std::uint32_t bits = magnitude >= kOnes ? special : finite;
    return bits_as<float>(bits | (half & std::uint32_t{0x8000}) << 16);
  }
};

struct Narrow {
  template <class Out>
  static HWY_INLINE Out apply(float value) {
    constexpr std::uint32_t kInfinity = std::uint32_t{0x7F800000};
    constexpr std::uint32_t kTooLarge = std::uint32_t{127 + 16} << 23;
    constexpr std::uint32_t kLeastNormal = std::uint32_t{127 - 14} << 23;
    // Its last digit is that of a subnormal float16: an addition rounds there.
    constexpr std::uint32_t kShift = std::uint32_t{127 - 1} << 23;
    const auto all = bits_as<std::uint32_t>(value);
    const std::uint32_t magnitude = all & std::uint32_t{0x7FFFFFFF};
    const float shifted = bits_as<float>(magnitude) + bits_as<float>(kShift);
    const std::uint32_t small = bits_as<std::uint32_t>(shifted) - kShift;
    const std::uint32_t odd = (magnitude >> 13) & 1;
    const std::uint32_t normal = (magnitude - kBias + std::uint32_t{0xFFF} + odd) >> 13;
    const std::uint32_t payload = (magnitude >> 13 & std::uint32_t{0x3FF}) | std::uint32_t{0x200};
    const std::uint32_t special = std::uint32_t{0x7C00} | (magnitude > kInfinity ? payload : 0);
    const std::uint32_t finite = magnitude < kLeastNormal ? small : normal;
    const std::uint32_t half = magnitude >= kTooLarge ? special : finite;
    return static_cast<Out>(half | (all >> 16 & std::uint32_t{0x8000}));
  }
};

// To a float that another rounding makes the same float16 of: if it is not exact, its last digit is
// odd, so that it lies on the same side of what ties.
struct RoundToOdd {
  template <class Out>
  static HWY_INLINE Out apply(double value) {
    const auto nearest = static_cast<float>(value);
    const auto bits = bits_as<std::uint32_t>(nearest);
    const double back = nearest;
    const double distance = (value < 0 ? -value : value) - (back < 0 ? -back : back);
    const std::uint32_t even = ~bits & 1;
    return bits_as<float>(bits + (distance > 0 ? even : 0) - (distance < 0 ? even : 0));
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

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_HALF_INL
