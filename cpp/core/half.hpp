// float16 and bfloat16 one number at a time. Kernels that compute in them do so in float and round
// each result.
//
// Conversions round to nearest, ties to even, and make NaNs quiet and keep the rest of their bits.
#pragma once

#include <cstdint>
#include <cstring>

namespace arignote {

// All of this is compiled into its callers, some of which are for one SIMD target: nothing is left
// for the linker to share. That is also why there is no std::bit_cast.
#ifdef __CUDACC__
#define ARN_WITHIN __host__ __device__ inline
#else
#define ARN_WITHIN [[gnu::always_inline]] inline
#endif

template <class To, class From>
ARN_WITHIN To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

// The bits of a float that differ from those of a float16 shifted in its place: the bias of the
// exponent, and twice that where the exponent is all ones.
inline constexpr std::uint32_t kHalfBias = std::uint32_t{127 - 15} << 23;

ARN_WITHIN float widened(std::uint16_t half) {
  constexpr std::uint32_t kOnes = std::uint32_t{0x7C00} << 13;
  constexpr std::uint32_t kLeast = std::uint32_t{1} << 23;
  constexpr std::uint32_t kQuiet = std::uint32_t{1} << 22;
  const std::uint32_t magnitude = (half & std::uint32_t{0x7FFF}) << 13;
  const std::uint32_t normal = magnitude + kHalfBias;
  const std::uint32_t special = (normal + kHalfBias) | (magnitude > kOnes ? kQuiet : 0);
  // A subnormal one is the mantissa of a float from which its leading one is taken.
  const float lifted = bits_as<float>(normal + kLeast);
  const auto small = bits_as<std::uint32_t>(lifted - bits_as<float>(kHalfBias + kLeast));
  const std::uint32_t finite = magnitude < kLeast ? small : normal;
  const std::uint32_t bits = magnitude >= kOnes ? special : finite;
  return bits_as<float>(bits | (half & std::uint32_t{0x8000}) << 16);
}

ARN_WITHIN std::uint16_t narrowed(float value) {
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
  const std::uint32_t normal = (magnitude - kHalfBias + std::uint32_t{0xFFF} + odd) >> 13;
  const std::uint32_t payload = (magnitude >> 13 & std::uint32_t{0x3FF}) | std::uint32_t{0x200};
  const std::uint32_t special = std::uint32_t{0x7C00} | (magnitude > kInfinity ? payload : 0);
  const std::uint32_t finite = magnitude < kLeastNormal ? small : normal;
  const std::uint32_t half = magnitude >= kTooLarge ? special : finite;
  return static_cast<std::uint16_t>(half | (all >> 16 & std::uint32_t{0x8000}));
}

// To a float that another rounding makes the same float16 of: if it is not exact, its last digit is
// odd, so that it lies on the same side of what ties.
ARN_WITHIN float rounded_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto bits = bits_as<std::uint32_t>(nearest);
  const double back = nearest;
  const double distance = (value < 0 ? -value : value) - (back < 0 ? -back : back);
  const std::uint32_t even = ~bits & 1;
  return bits_as<float>(bits + (distance > 0 ? even : 0) - (distance < 0 ? even : 0));
}

// A bfloat16 is the upper half of a float, also if that is a NaN.
ARN_WITHIN float widened_bfloat(std::uint16_t bfloat) {
  return bits_as<float>(static_cast<std::uint32_t>(bfloat) << 16);
}

ARN_WITHIN std::uint16_t narrowed_bfloat(float value) {
  constexpr std::uint32_t kInfinity = std::uint32_t{0x7F800000};
  constexpr std::uint32_t kQuiet = std::uint32_t{0x40};
  const auto bits = bits_as<std::uint32_t>(value);
  const std::uint32_t odd = (bits >> 16) & 1;
  const std::uint32_t number = (bits + std::uint32_t{0x7FFF} + odd) >> 16;
  const std::uint32_t nan = bits >> 16 | kQuiet;
  const bool is_nan = (bits & std::uint32_t{0x7FFFFFFF}) > kInfinity;
  return static_cast<std::uint16_t>(is_nan ? nan : number);
}

#undef ARN_WITHIN

// How elements of float16 …
struct HalfFormat {
  static float widen(std::uint16_t bits) { return widened(bits); }
  static std::uint16_t narrow(float value) { return narrowed(value); }
  static std::uint16_t narrow(double value) { return narrowed(rounded_to_odd(value)); }
};

// … and of bfloat16 are read and written. NumPy, with ml_dtypes, makes a bfloat16 of the float that
// is nearest to a double.
struct BFloatFormat {
  static float widen(std::uint16_t bits) { return widened_bfloat(bits); }
  static std::uint16_t narrow(float value) { return narrowed_bfloat(value); }
  static std::uint16_t narrow(double value) { return narrow(static_cast<float>(value)); }
};

// An element of an array.
template <class Format>
class ShortFloat {
 public:
  ShortFloat() = default;
  explicit ShortFloat(float value) : bits_(Format::narrow(value)) {}
  explicit ShortFloat(double value) : bits_(Format::narrow(value)) {}

  explicit operator float() const { return Format::widen(bits_); }
  explicit operator double() const { return Format::widen(bits_); }

  friend ShortFloat operator+(ShortFloat a, ShortFloat b) {
    return ShortFloat(static_cast<float>(a) + static_cast<float>(b));
  }
  friend bool operator==(ShortFloat a, ShortFloat b) {
    return static_cast<float>(a) == static_cast<float>(b);
  }

 private:
  std::uint16_t bits_ = 0;
};
using Half = ShortFloat<HalfFormat>;
using BFloat = ShortFloat<BFloatFormat>;
static_assert(sizeof(Half) == 2 && sizeof(BFloat) == 2);

}  // namespace arignote
