// What elementwise operations mean for one element, as in cpp/kernels/block_*.cpp.
//
// A value is kept in 64 bits: integers as wide ones, bool as 0 or 1, float16 and bfloat16 as the
// float that they are. Integers are computed in 64 bits and cut to their width afterwards, which
// gives the same.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/dtype.hpp"
#include "core/half.hpp"
#include "device/language.cuh"

namespace arignote::device {

using Bits = std::uint64_t;

// Beside these there are cast, identity and switch.
// clang-format off
#define ARN_SCALAR_OPS(X)                                                                          \
  X(abs) X(add) X(and_) X(arccos) X(arccosh) X(arcsin) X(arcsinh) X(arctan) X(arctan2)             \
  X(arctanh) X(ceil) X(clip) X(cos) X(cosh) X(eq) X(exp) X(exp2) X(expm1) X(floor) X(floor_div)    \
  X(ge) X(gt) X(inv) X(invert) X(isinf) X(isnan) X(le) X(log) X(log10) X(log1p) X(log2) X(lt)      \
  X(maximum) X(minimum) X(mod) X(mul) X(neg) X(neq) X(or_) X(pow) X(round_half_away)               \
  X(round_half_to_even) X(sgn) X(sigmoid) X(sin) X(sinh) X(softplus) X(sqr) X(sqrt) X(sub)         \
  X(tan) X(tanh) X(true_div) X(trunc) X(xor)
// clang-format on

enum class ScalarOp : std::uint8_t {
#define ARN_ENTRY(name) name##_op,
  ARN_SCALAR_OPS(ARN_ENTRY)
#undef ARN_ENTRY
};

template <class T>
ARN_DEVICE Bits bits_of(T value) {
  if constexpr (std::is_same_v<T, bool>) return value ? 1 : 0;
  Bits bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <class T>
ARN_DEVICE T value_of(Bits bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// The 64 bits of an integer of that dtype, given any that are right in its width.
ARN_DEVICE Bits cut(DType dtype, Bits bits) {
  switch (dtype) {
    case DType::kInt8: return static_cast<Bits>(std::int64_t{static_cast<std::int8_t>(bits)});
    case DType::kInt16: return static_cast<Bits>(std::int64_t{static_cast<std::int16_t>(bits)});
    case DType::kInt32: return static_cast<Bits>(std::int64_t{static_cast<std::int32_t>(bits)});
    case DType::kUInt8: return static_cast<std::uint8_t>(bits);
    case DType::kUInt16: return static_cast<std::uint16_t>(bits);
    case DType::kUInt32: return static_cast<std::uint32_t>(bits);
    default: return bits;
  }
}

template <class T>
ARN_DEVICE T floor_divided(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) return a / b;
    const T rest = std::fmod(a, b);
    T quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) quotient -= T{1};
    if (quotient == 0) return std::copysign(T{0}, a / b);
    const T floor = std::floor(quotient);
    return quotient - floor > T{0.5} ? floor + T{1} : floor;
  } else if constexpr (std::is_signed_v<T>) {
    if (b == 0) return 0;
    if (b == -1) return static_cast<T>(Bits{0} - static_cast<Bits>(a));
    return a / b - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0);
  } else {
    return b == 0 ? 0 : a / b;
  }
}

template <class T>
ARN_DEVICE T remainder_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    const T rest = std::fmod(a, b);
    if (b == 0) return rest;
    if (rest == 0) return std::copysign(T{0}, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
  } else if constexpr (std::is_signed_v<T>) {
    if (b == 0 || b == -1) return 0;
    const T rest = a % b;
    return (rest != 0) && ((rest < 0) != (b < 0)) ? rest + b : rest;
  } else {
    return b == 0 ? 0 : a % b;
  }
}

template <class T>
ARN_DEVICE T power(T base, T exponent) {
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::pow(base, exponent);
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) {
        if (base == 1) return 1;
        if (base != -1) return 0;
        return (exponent & 1) != 0 ? -1 : 1;
      }
    }
    auto square = static_cast<Bits>(base);
    Bits result = 1;
    for (auto rest = static_cast<Bits>(exponent); rest != 0; rest >>= 1) {
      if ((rest & 1) != 0) result *= square;
      square *= square;
    }
    return static_cast<T>(result);
  }
}

template <class T>
ARN_DEVICE T clipped(T x, T low, T high) {
  if constexpr (std::is_floating_point_v<T>) {
    if (low != low || high != high) return low + high;
  }
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}

template <class T>
ARN_DEVICE T sign_of(T x) {
  if constexpr (std::is_unsigned_v<T>) {
    return x != 0 ? 1 : 0;
  } else {
    return x != x ? x : static_cast<T>((x > 0 ? 1 : 0) - (x < 0 ? 1 : 0));
  }
}

// With a number just below a half: a half would make 1 of 0.49999999999999994.
template <class T>
ARN_DEVICE T rounded_away(T x) {
  constexpr T kBelowHalf = sizeof(T) == sizeof(float) ? T(0x1.fffffep-2) : T(0x1.fffffffffffffp-2);
  return std::trunc(x + std::copysign(kBelowHalf, x));
}

// The operation for operands of type T: long integers, float or double. Those that T does not have
// are refused before.
template <class T>
ARN_DEVICE Bits apply(ScalarOp op, T a, T b, T c) {
  using S = ScalarOp;
  constexpr bool kIsFloat = std::is_floating_point_v<T>;
  switch (op) {
    case S::add_op:
      if constexpr (kIsFloat) return bits_of(a + b);
      return bits_of(a) + bits_of(b);
    case S::sub_op:
      if constexpr (kIsFloat) return bits_of(a - b);
      return bits_of(a) - bits_of(b);
    case S::mul_op:
      if constexpr (kIsFloat) return bits_of(a * b);
      return bits_of(a) * bits_of(b);
    case S::sqr_op:
      if constexpr (kIsFloat) return bits_of(a * a);
      return bits_of(a) * bits_of(a);
    case S::neg_op:
      if constexpr (kIsFloat) return bits_of(-a);
      return Bits{0} - bits_of(a);
    case S::abs_op:
      if constexpr (kIsFloat) return bits_of(std::fabs(a));
      if constexpr (std::is_signed_v<T>) return a < 0 ? Bits{0} - bits_of(a) : bits_of(a);
      return bits_of(a);
    case S::sgn_op: return bits_of(sign_of(a));
    case S::maximum_op: return bits_of(a > b || a != a ? a : b);
    case S::minimum_op: return bits_of(a < b || a != a ? a : b);
    case S::clip_op: return bits_of(clipped(a, b, c));
    case S::floor_div_op: return bits_of(floor_divided(a, b));
    case S::mod_op: return bits_of(remainder_of(a, b));
    case S::pow_op: return bits_of(power(a, b));
    case S::eq_op: return bits_of(a == b);
    case S::neq_op: return bits_of(a != b);
    case S::lt_op: return bits_of(a < b);
    case S::le_op: return bits_of(a <= b);
    case S::gt_op: return bits_of(a > b);
    case S::ge_op: return bits_of(a >= b);
    case S::and__op: return bits_of(a) & bits_of(b);
    case S::or__op: return bits_of(a) | bits_of(b);
    case S::xor_op: return bits_of(a) ^ bits_of(b);
    case S::invert_op: return ~bits_of(a);
    default: break;
  }
  if constexpr (kIsFloat) {
    switch (op) {
      case S::true_div_op: return bits_of(a / b);
      case S::inv_op: return bits_of(T{1} / a);
      case S::sqrt_op: return bits_of(std::sqrt(a));
      case S::exp_op: return bits_of(std::exp(a));
      case S::exp2_op: return bits_of(std::exp2(a));
      case S::expm1_op: return bits_of(std::expm1(a));
      case S::log_op: return bits_of(std::log(a));
      case S::log2_op: return bits_of(std::log2(a));
      case S::log10_op: return bits_of(std::log10(a));
      case S::log1p_op: return bits_of(std::log1p(a));
      case S::sigmoid_op: return bits_of(T{1} / (T{1} + std::exp(-a)));
      case S::softplus_op:
        // log(1 + e^a), without overflow.
        return bits_of((a > T{0} ? a : T{0}) + std::log1p(std::exp(-std::fabs(a))));
      case S::sin_op: return bits_of(std::sin(a));
      case S::cos_op: return bits_of(std::cos(a));
      case S::tan_op: return bits_of(std::tan(a));
      case S::arcsin_op: return bits_of(std::asin(a));
      case S::arccos_op: return bits_of(std::acos(a));
      case S::arctan_op: return bits_of(std::atan(a));
      case S::arctan2_op: return bits_of(std::atan2(a, b));
      case S::sinh_op: return bits_of(std::sinh(a));
      case S::cosh_op: return bits_of(std::cosh(a));
      case S::tanh_op: return bits_of(std::tanh(a));
      case S::arcsinh_op: return bits_of(std::asinh(a));
      case S::arccosh_op: return bits_of(std::acosh(a));
      case S::arctanh_op: return bits_of(std::atanh(a));
      case S::floor_op: return bits_of(std::floor(a));
      case S::ceil_op: return bits_of(std::ceil(a));
      case S::trunc_op: return bits_of(std::trunc(a));
      case S::round_half_to_even_op: return bits_of(std::rint(a));
      case S::round_half_away_op: return bits_of(rounded_away(a));
      case S::isnan_op: return bits_of(a != a);
      case S::isinf_op: return bits_of(std::fabs(a) > std::numeric_limits<T>::max());
      default: break;
    }
  }
  return 0;
}

// Towards zero; what does not fit in 64 bits, and NaN, give the least integer.
ARN_DEVICE std::int64_t truncated(double x) {
  return x >= -0x1p63 && x < 0x1p63 ? static_cast<std::int64_t>(x)
                                    : std::numeric_limits<std::int64_t>::min();
}
ARN_DEVICE std::int32_t truncated_to_32(double x) {
  return x > -0x1p31 - 1 && x < 0x1p31 ? static_cast<std::int32_t>(x)
                                       : std::numeric_limits<std::int32_t>::min();
}

// From a floating-point number to an integer of that dtype. float16 is taken by 64 bits where other
// floats are taken by 32.
ARN_DEVICE Bits cast_to_integer(double x, DType to, bool from_half) {
  switch (to) {
    case DType::kBool: return x != 0 ? 1 : 0;
    case DType::kInt64: return bits_of(truncated(x));
    case DType::kUInt32:
      if (!from_half) {
        const bool is_high = x >= 0x1p31;
        const auto low = static_cast<std::uint32_t>(truncated_to_32(is_high ? x - 0x1p31 : x));
        return low ^ (is_high ? std::uint32_t{1} << 31 : 0);
      }
      return static_cast<std::uint32_t>(truncated(x));
    case DType::kUInt64: {
      const bool is_high = x >= 0x1p63;
      return bits_of(truncated(is_high ? x - 0x1p63 : x)) ^ (is_high ? Bits{1} << 63 : 0);
    }
    default: return cut(to, bits_of(std::int64_t{truncated_to_32(x)}));
  }
}

template <class From>
ARN_DEVICE Bits cast_from(From x, DType to, bool from_half) {
  switch (to) {
    case DType::kFloat32: return bits_of(static_cast<float>(x));
    case DType::kFloat64: return bits_of(static_cast<double>(x));
    case DType::kFloat16:
      if constexpr (std::is_same_v<From, double>) {
        return bits_of(widened(narrowed(rounded_to_odd(x))));
      } else {
        return bits_of(widened(narrowed(static_cast<float>(x))));
      }
    case DType::kBFloat16: return bits_of(widened_bfloat(narrowed_bfloat(static_cast<float>(x))));
    default: break;
  }
  if constexpr (std::is_floating_point_v<From>) {
    return cast_to_integer(x, to, from_half);
  } else {
    return to == DType::kBool ? bits_of(x != 0) : cut(to, bits_of(x));
  }
}

ARN_DEVICE bool is_signed(DType dtype) { return dtype >= DType::kInt8 && dtype <= DType::kInt64; }

ARN_DEVICE Bits cast(Bits bits, DType from, DType to) {
  if (from == to) return bits;
  if (from == DType::kFloat64) return cast_from(value_of<double>(bits), to, false);
  if (from == DType::kFloat32 || from == DType::kFloat16 || from == DType::kBFloat16) {
    return cast_from(value_of<float>(bits), to, from == DType::kFloat16);
  }
  return is_signed(from) ? cast_from(value_of<std::int64_t>(bits), to, false)
                         : cast_from(bits, to, false);
}

ARN_DEVICE std::int64_t item_bytes(DType dtype) {
  switch (dtype) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kUInt8: return 1;
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16: return 2;
    case DType::kInt32:
    case DType::kUInt32:
    case DType::kFloat32: return 4;
    case DType::kComplex128: return 16;
    default: return 8;
  }
}

template <class T>
ARN_DEVICE T read(const std::byte* at) {
  return *reinterpret_cast<const T*>(at);
}

ARN_DEVICE Bits load_bits(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::kBool: return read<std::uint8_t>(at) != 0 ? 1 : 0;
    case DType::kInt8: return bits_of(std::int64_t{read<std::int8_t>(at)});
    case DType::kInt16: return bits_of(std::int64_t{read<std::int16_t>(at)});
    case DType::kInt32: return bits_of(std::int64_t{read<std::int32_t>(at)});
    case DType::kUInt8: return read<std::uint8_t>(at);
    case DType::kUInt16: return read<std::uint16_t>(at);
    case DType::kUInt32:
    case DType::kFloat32: return read<std::uint32_t>(at);
    case DType::kFloat16: return bits_of(widened(read<std::uint16_t>(at)));
    case DType::kBFloat16: return bits_of(widened_bfloat(read<std::uint16_t>(at)));
    default: return read<std::uint64_t>(at);
  }
}

ARN_DEVICE void store_bits(DType dtype, Bits bits, std::byte* at) {
  switch (dtype) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kUInt8:
      *reinterpret_cast<std::uint8_t*>(at) = static_cast<std::uint8_t>(bits);
      break;
    case DType::kInt16:
    case DType::kUInt16:
      *reinterpret_cast<std::uint16_t*>(at) = static_cast<std::uint16_t>(bits);
      break;
    case DType::kFloat16:
      *reinterpret_cast<std::uint16_t*>(at) = narrowed(value_of<float>(bits));
      break;
    case DType::kBFloat16:
      *reinterpret_cast<std::uint16_t*>(at) = narrowed_bfloat(value_of<float>(bits));
      break;
    case DType::kInt32:
    case DType::kUInt32:
    case DType::kFloat32:
      *reinterpret_cast<std::uint32_t*>(at) = static_cast<std::uint32_t>(bits);
      break;
    default: *reinterpret_cast<std::uint64_t*>(at) = bits; break;
  }
}

// Integers wrap, and bool is joined by "or".
ARN_DEVICE Bits add_bits(DType dtype, Bits a, Bits b) {
  switch (dtype) {
    case DType::kBool: return a | b;
    case DType::kFloat16:
      return bits_of(widened(narrowed(value_of<float>(a) + value_of<float>(b))));
    case DType::kBFloat16:
      return bits_of(widened_bfloat(narrowed_bfloat(value_of<float>(a) + value_of<float>(b))));
    case DType::kFloat32: return bits_of(value_of<float>(a) + value_of<float>(b));
    case DType::kFloat64: return bits_of(value_of<double>(a) + value_of<double>(b));
    default: return cut(dtype, a + b);
  }
}

// One element of any dtype, bit for bit.
ARN_DEVICE void move_element(DType dtype, const std::byte* from, std::byte* to) {
  std::memcpy(to, from, static_cast<std::size_t>(item_bytes(dtype)));
}

}  // namespace arignote::device
