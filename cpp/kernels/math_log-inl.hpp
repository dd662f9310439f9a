// Logarithms and what is made of them, on Highway vectors. Compiled once per SIMD target: include
// after hwy/foreach_target.h and hwy/highway.h.
//
// x = 2^k (1 + f) with 1 + f around 1, then log(1 + f) by a minimax polynomial in f (float) or in
// s = f / (2 + f) (double), and k ln 2 added in two parts (J.-M. Muller, Elementary Functions, 3rd
// ed., ch. 11; P. T. P. Tang, Table-driven implementation of the logarithm, ACM TOMS 16, 1990).

#if defined(ARN_MATH_LOG_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_MATH_LOG_INL
#undef ARN_MATH_LOG_INL
#else
#define ARN_MATH_LOG_INL
#endif

#include <cstdint>
#include <limits>

#include "hwy/highway.h"

#include "kernels/math_exp-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr std::uint32_t kOne = 0x3f800000;
  static constexpr std::uint32_t kSqrtHalf = 0x3f3504f3;
  static constexpr std::uint32_t kMantissa = 0x007fffff;
  static constexpr std::uint32_t kIntegerBits = 0x4b000000;  // of 2^23
  static constexpr float kExponentBias = 0x1p23F + 127;
  static constexpr float kLeastNormal = 0x1p-126F;
  static constexpr int kSubnormalShift = 24;
  static constexpr float kSubnormalScale = 0x1p24F;
};

template <>
struct LogConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr std::uint64_t kOne = 0x3ff0000000000000;
  static constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr std::uint64_t kMantissa = 0x000fffffffffffff;
  static constexpr std::uint64_t kIntegerBits = 0x4330000000000000;  // of 2^52
  static constexpr double kExponentBias = 0x1p52 + 1023;
  static constexpr double kLeastNormal = 0x1p-1022;
  static constexpr int kSubnormalShift = 54;
  static constexpr double kSubnormalScale = 0x1p54;
};

// x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); x positive and finite, subnormal included.
template <class V>
struct LogParts {
  V k;
  V f;
};

template <class D, class V>
HWY_INLINE LogParts<V> split_logarithm(D d, V x) {
  using C = LogConstants<hn::TFromD<D>>;
  const hn::RebindToUnsigned<D> du;
  const auto subnormal = hn::Lt(x, hn::Set(d, C::kLeastNormal));
  x = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, C::kSubnormalScale)), x);
  const V bias = hn::IfThenElse(subnormal, hn::Set(d, C::kExponentBias + C::kSubnormalShift),
                                hn::Set(d, C::kExponentBias));
  const auto bits = hn::Add(hn::BitCast(du, x), hn::Set(du, C::kOne - C::kSqrtHalf));
  const auto exponent =
      hn::Or(hn::ShiftRight<C::kMantissaBits>(bits), hn::Set(du, C::kIntegerBits));
  const auto mantissa =
      hn::Add(hn::And(bits, hn::Set(du, C::kMantissa)), hn::Set(du, C::kSqrtHalf));
  return {hn::Sub(hn::BitCast(d, exponent), bias),
          hn::Sub(hn::BitCast(d, mantissa), hn::Set(d, 1))};
}

// The logarithm of 0 is -inf, of negative numbers NaN, of inf and NaN themselves.
template <class D, class V>
HWY_INLINE V repair_logarithm(D d, V x, V result) {
  const V infinity = hn::Set(d, std::numeric_limits<hn::TFromD<D>>::infinity());
  const V zero = hn::Zero(d);
  const auto ordinary = hn::And(hn::Gt(x, zero), hn::Lt(x, infinity));
  if (HWY_LIKELY(hn::AllTrue(d, ordinary))) return result;
  const V special = hn::IfThenElse(hn::Lt(x, zero), hn::NaN(d), x);
  return hn::IfThenElse(ordinary, result,
                        hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), special));
}

// log(1 + f) = f - f^2/2 + tail, in float.
template <class D, class V>
HWY_INLINE V float_logarithm_tail(D d, V f) {
  // tail / f^3
  static constexpr float kPolynomial[] = {0.33333313F,  -0.25000167F,  0.20002222F,
                                          -0.16659372F, 0.1420964F,    -0.1254939F,
                                          0.12107689F,  -0.109232984F, 0.05356097F};
  const V cube = hn::Mul(f, hn::Mul(f, f));
  return hn::Mul(cube, polynomial(d, f, square(d, f), kPolynomial));
}

// The same in double.
template <class D, class V>
HWY_INLINE V double_logarithm_tail(D d, V f, V half_square) {
  // (log((1 + s) / (1 - s)) / s - 2) / s^2 in s^2, |s| <= 0.1716
  static constexpr double kPolynomial[] = {
      0.666666666666671,  0.39999999999541963, 0.28571428718712094, 0.22222200695375435,
      0.1818346531544693, 0.15316367325224392, 0.14774462485995826};
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, 2)));
  const V z = hn::Mul(s, s);
  return hn::Mul(s, hn::MulAdd(z, polynomial(d, z, hn::Mul(z, z), kPolynomial), half_square));
}

// k ln 2 + log(1 + f) + c, in double.
template <class D, class V>
HWY_INLINE V sum_double_logarithm(D d, V k, V f, V c) {
  using C = ExpConstants<double>;
  const V half_square = hn::Mul(hn::Mul(f, f), hn::Set(d, 0.5));
  const V low = hn::MulAdd(k, hn::Set(d, C::kLn2Low), c);
  const V tail = hn::Add(double_logarithm_tail(d, f, half_square), low);
  const V reduced = hn::Sub(hn::Sub(half_square, tail), f);
  return hn::MulSub(k, hn::Set(d, C::kLn2High), reduced);
}

// k ln 2 + log(1 + f) + c, in float.
template <class D, class V>
HWY_INLINE V sum_float_logarithm(D d, V k, V f, V c) {
  using C = ExpConstants<float>;
  const V tail = float_logarithm_tail(d, f);
  const V low = hn::Add(hn::MulAdd(k, hn::Set(d, C::kLn2Low), c), tail);
  const V sum = hn::Add(f, hn::NegMulAdd(hn::Mul(f, f), hn::Set(d, 0.5F), low));
  return hn::MulAdd(k, hn::Set(d, C::kLn2High), sum);
}

template <class D, class V>
HWY_INLINE V sum_logarithm(D d, V k, V f, V c) {
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(float)) {
    return sum_float_logarithm(d, k, f, c);
  } else {
    return sum_double_logarithm(d, k, f, c);
  }
}

struct Log {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const auto [k, f] = split_logarithm(d, x);
    return repair_logarithm(d, x, sum_logarithm(d, k, f, hn::Zero(d)));
  }
};

// The logarithm of e and of 2 in a base, each in two parts: the first times as many bits of a
// number as `kLeading` keeps, or times k, is exact.
template <class T>
struct Base {
  T e_high;
  T e_low;
  T two_high;
  T two_low;
};

template <class T>
struct BaseConstants;

template <>
struct BaseConstants<float> {
  static constexpr std::uint32_t kLeading = 0xfffff000;
  static constexpr Base<float> kTwo = {0x1.716p+0F, -0x1.7135a8p-13F, 1, 0};
  static constexpr Base<float> kTen = {0x1.bccp-2F, -0x1.09d5b2p-15F, 0x1.3442p-2F,
                                       -0x1.95ec1p-19F};
};

template <>
struct BaseConstants<double> {
  static constexpr std::uint64_t kLeading = 0xffffffff00000000;
  static constexpr Base<double> kTwo = {0x1.71547p+0, 0x1.94ae0bf85ddf4p-22, 1, 0};
  static constexpr Base<double> kTen = {0x1.bcb7bp-2, 0x1.526e50e32a6abp-26, 0x1.34413509f8p-2,
                                        -0x1.80433b83b532ap-44};
};

// log(1 + f) = high + low, where high has as many bits as a Base is made for.
template <class V>
struct LogSum {
  V high;
  V low;
};

template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE LogSum<V> split_sum(D d, V f) {
  const hn::RebindToUnsigned<D> du;
  const V half_square = hn::Mul(hn::Mul(f, f), hn::Set(d, 0.5));
  const auto bits = hn::BitCast(du, hn::Sub(f, half_square));
  const V high = hn::BitCast(d, hn::And(bits, hn::Set(du, BaseConstants<T>::kLeading)));
  const V lost = hn::Sub(hn::Sub(f, high), half_square);
  if constexpr (sizeof(T) == sizeof(float)) {
    return {high, hn::Add(lost, float_logarithm_tail(d, f))};
  } else {
    return {high, hn::Add(lost, double_logarithm_tail(d, f, half_square))};
  }
}

template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE V based_logarithm(D d, V x, const Base<T>& base) {
  const auto [k, f] = split_logarithm(d, x);
  const auto [high, low] = split_sum(d, f);
  const V product = hn::Mul(high, hn::Set(d, base.e_high));
  const V whole = hn::Mul(k, hn::Set(d, base.two_high));
  const V sum = hn::Add(whole, product);
  V rest = hn::Mul(hn::Add(low, high), hn::Set(d, base.e_low));
  rest = hn::MulAdd(low, hn::Set(d, base.e_high), rest);
  rest = hn::MulAdd(k, hn::Set(d, base.two_low), rest);
  rest = hn::Add(rest, hn::Add(hn::Sub(whole, sum), product));
  return repair_logarithm(d, x, hn::Add(sum, rest));
}

struct Log2 {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    return based_logarithm(d, x, BaseConstants<hn::TFromD<D>>::kTwo);
  }
};

struct Log10 {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    return based_logarithm(d, x, BaseConstants<hn::TFromD<D>>::kTen);
  }
};

// log(1 + x) = log(u) + c / u with u = 1 + x rounded and c the error of that sum.
struct Log1p {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V one = hn::Set(d, 1);
    const V u = hn::Add(one, x);
    const V added = hn::Sub(u, one);
    const V c = hn::Add(hn::Sub(one, hn::Sub(u, added)), hn::Sub(x, added));
    const auto [k, f] = split_logarithm(d, u);
    const V result = sum_logarithm(d, k, f, hn::Div(c, u));
    return repair_logarithm(d, u, hn::CopySign(result, x));
  }
};

template <class T>
struct SoftplusConstants;

// (log(1 + e) - e) / e^2, 0 <= e <= 1
template <>
struct SoftplusConstants<float> {
  static constexpr float kPolynomial[] = {-0.49999994F, 0.33332896F, -0.24990949F, 0.19911934F,
                                          -0.16177595F, 0.12569694F, -0.08443731F, 0.04308523F,
                                          -0.01412959F, 0.002168982F};
};
template <>
struct SoftplusConstants<double> {
  static constexpr double kPolynomial[] = {
      -0.49999999999999994,    0.33333333333331244,  -0.24999999999801914,  0.19999999991233025,
      -0.16666666440901823,    0.14285710491556639,  -0.12499955353034524,  0.11110725432847326,
      -0.09997470476022399,    0.09077994742121596,  -0.08281018609745397,  0.07521597634183112,
      -0.06688475848418961,    0.05669024774998314,  -0.044226833191379704, 0.030535137670211165,
      -0.017906125853285007,   0.008536381829812673, -0.003141847207190677, 0.0008311590126948983,
      -0.00013990088469670976, 1.12124603162248e-05};
};

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
struct Softplus {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    using T = hn::TFromD<D>;
    using C = SoftplusConstants<T>;
    // -|x|, but from 60 on the result is x for any small e.
    const V e = exp_below_one(d, hn::Min(x, at_least(d, hn::Neg(x), T{-60})));
    const V p = polynomial(d, e, square(d, e), C::kPolynomial);
    const V tail = hn::MulAdd(hn::Mul(e, p), e, e);
    return hn::Add(tail, hn::Max(x, hn::Zero(d)));
  }
};

// From here on a^2 + 1 is a^2, and it may overflow.
constexpr double kHuge = 0x1p54;

struct ArcSinh {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V a = hn::Abs(x);
    const V one = hn::Set(d, 1);
    const auto huge = hn::Gt(a, hn::Set(d, kHuge));
    const V root = hn::Sqrt(hn::MulAdd(a, a, one));
    const V small = hn::MulAdd(a, hn::Div(a, hn::Add(one, root)), a);
    const V result = Log1p::apply(d, hn::IfThenElse(huge, a, small));
    const V doubled = hn::Add(result, hn::Set(d, ExpConstants<double>::kLn2));
    return hn::CopySign(hn::IfThenElse(huge, doubled, result), x);
  }
};

struct ArcCosh {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V t = hn::Sub(x, hn::Set(d, 1));
    const auto huge = hn::Gt(x, hn::Set(d, kHuge));
    const V small = hn::Add(t, hn::Sqrt(hn::MulAdd(t, t, hn::Add(t, t))));
    const V result = Log1p::apply(d, hn::IfThenElse(huge, x, small));
    const V doubled = hn::Add(result, hn::Set(d, ExpConstants<double>::kLn2));
    return hn::IfThenElse(hn::Lt(t, hn::Zero(d)), hn::NaN(d),
                          hn::IfThenElse(huge, doubled, result));
  }
};

struct ArcTanh {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V a = hn::Abs(x);
    const V twice = hn::Add(a, a);
    const V quotient = hn::Div(a, hn::Sub(hn::Set(d, 1), a));
    const V result = Log1p::apply(d, hn::MulAdd(twice, quotient, twice));
    const auto outside = hn::Gt(a, hn::Set(d, 1));
    return hn::IfThenElse(outside, hn::NaN(d), hn::CopySign(hn::Mul(hn::Set(d, 0.5), result), x));
  }
};

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_MATH_LOG_INL
