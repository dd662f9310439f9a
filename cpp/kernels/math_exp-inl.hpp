// Exponential functions on Highway vectors of float or double. Compiled once per SIMD target:
// include after hwy/foreach_target.h and hwy/highway.h.
//
// All follow the classic scheme (J.-M. Muller, Elementary Functions, 3rd ed., ch. 11): Cody-Waite
// reduction to x = n ln 2 + r, a minimax polynomial in r (Remez exchange with a weight for the
// relative error of the result, coefficients rounded one by one to the format) and a scaling by
// 2^n. Every special value takes the same path: NaN stays, overflow gives inf, underflow is
// gradual.

#if defined(ARN_MATH_EXP_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_MATH_EXP_INL
#undef ARN_MATH_EXP_INL
#else
#define ARN_MATH_EXP_INL
#endif

#include <bit>
#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// x^2, but never a subnormal number: those take processors a hundred cycles and more. What is added
// does not count, as a square here is only a factor of terms that are added to larger ones.
template <class D, class V>
HWY_INLINE V square(D d, V x) {
  constexpr double kTiny = sizeof(hn::TFromD<D>) == sizeof(float) ? 0x1p-28 : 0x1p-120;
  return hn::MulAdd(x, x, hn::Set(d, kTiny));
}

// c[0] + c[1] x + … by Estrin's scheme: the chain of dependent operations is logarithmic.
// powers[k] = x^(2^k).
template <std::size_t kFirst, std::size_t kCount, class D, class V, class Coefficients>
HWY_INLINE V estrin(D d, const V* powers, const Coefficients& c) {
  if constexpr (kCount == 1) {
    return hn::Set(d, c[kFirst]);
  } else {
    constexpr std::size_t kLog = std::bit_width(kCount - 1) - 1;
    constexpr std::size_t kLow = std::size_t{1} << kLog;
    return hn::MulAdd(estrin<kFirst + kLow, kCount - kLow>(d, powers, c), powers[kLog],
                      estrin<kFirst, kLow>(d, powers, c));
  }
}

template <class D, class V, class T, std::size_t kCount>
HWY_INLINE V polynomial(D d, V x, V x2, const T (&c)[kCount]) {
  // No power beyond the last that is used: an unoptimised build would compute it, and it may be
  // subnormal.
  constexpr std::size_t kPowers = std::bit_width(kCount - 1);
  static_assert(kPowers >= 2);
  V powers[kPowers];
  powers[0] = x;
  powers[1] = x2;
  for (std::size_t k = 2; k < kPowers; ++k) powers[k] = hn::Mul(powers[k - 1], powers[k - 1]);
  return estrin<0, kCount>(d, powers, c);
}

// Whether Min and Max return the second operand if one is NaN, as on x86.
constexpr bool kSecondOfNan =
    HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3;

// These three keep NaN.
template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE V at_least(D d, V x, T low) {
  const V bound = hn::Set(d, low);
  if constexpr (kSecondOfNan) return hn::Max(bound, x);
  return hn::IfThenElse(hn::Lt(x, bound), bound, x);
}

template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE V at_most(D d, V x, T high) {
  const V bound = hn::Set(d, high);
  if constexpr (kSecondOfNan) return hn::Min(bound, x);
  return hn::IfThenElse(hn::Gt(x, bound), bound, x);
}

template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE V clamp(D d, V x, T low, T high) {
  return at_least(d, at_most(d, x, high), low);
}

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23
  static constexpr float kLog2E = 1.442695F;
  static constexpr float kLn2 = 0.6931472F;
  static constexpr float kLn2High = 0x1.62e4p-1F;  // short enough for n * kLn2High to be exact
  static constexpr float kLn2Low = 0x1.7f7d1cp-20F;
  static constexpr float kLowest = -0x1.9fe36ap+6F;  // e^x is 0 from here on, and not before
  static constexpr float kHighest = 89.0F;           // e^x is inf from here on
  static constexpr float kLowest2 = -150.0F;
  static constexpr float kHighest2 = 128.0F;
  static constexpr float kLowestM1 = -20.0F;  // e^x - 1 is -1 and e^x + 1 is 1 from here on
  static constexpr float kSubnormalScale = 0x1p25F;
  // (e^r - 1 - r) / r^2, |r| <= ln(2)/2
  static constexpr float kPolynomial[] = {0.5F,         0.16666648F,   0.041666485F,
                                          0.008337973F, 0.0013932737F, 0.00017237233F};
};

template <>
struct ExpConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr double kRounder = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kLog2E = 1.4426950408889634;
  static constexpr double kLn2 = 0.6931471805599453;
  static constexpr double kLn2High = 0x1.62e42fefa4p-1;
  static constexpr double kLn2Low = -0x1.8432a1b0e2634p-43;
  static constexpr double kLowest = -0x1.74910d52d3052p+9;
  static constexpr double kHighest = 710.0;
  static constexpr double kLowest2 = -1075.0;
  static constexpr double kHighest2 = 1024.0;
  static constexpr double kLowestM1 = -40.0;
  static constexpr double kSubnormalScale = 0x1p55;
  static constexpr double kPolynomial[] = {0.5,
                                           0.16666666666666674,
                                           0.04166666666666597,
                                           0.008333333333324462,
                                           0.0013888888889389804,
                                           0.00019841269878164745,
                                           2.480158610879783e-05,
                                           2.7557252118750865e-06,
                                           2.755844549618941e-07,
                                           2.5106468118873732e-08,
                                           2.052422205992509e-09};
};

template <class D>
using ExpFor = ExpConstants<hn::TFromD<D>>;

// e^x = 2^n e^r. Adding kRounder rounds to an integer and leaves it in the low bits of the sum.
template <class V>
struct ReducedExponent {
  V shifted;  // n, in its low bits
  V r;
};

template <class D, class V>
HWY_INLINE ReducedExponent<V> reduce_exponent(D d, V x) {
  using C = ExpFor<D>;
  const V rounder = hn::Set(d, C::kRounder);
  const V shifted = hn::MulAdd(x, hn::Set(d, C::kLog2E), rounder);
  const V n = hn::Sub(shifted, rounder);
  const V r = hn::NegMulAdd(n, hn::Set(d, C::kLn2High), x);
  return {shifted, hn::NegMulAdd(n, hn::Set(d, C::kLn2Low), r)};
}

// e^r for |r| <= ln(2)/2
template <class D, class V>
HWY_INLINE V exp_reduced(D d, V r) {
  const V r2 = square(d, r);
  const V rest = hn::MulAdd(r2, polynomial(d, r, r2, ExpFor<D>::kPolynomial), r);
  return hn::Add(rest, hn::Set(d, 1));
}

// e^r - 1 for |r| <= ln(2)/2
template <class D, class V>
HWY_INLINE V expm1_reduced(D d, V r) {
  const V p = polynomial(d, r, square(d, r), ExpFor<D>::kPolynomial);
  return hn::MulAdd(hn::Mul(r, p), r, r);
}

// factor * 2^n, both powers of two, as long as that is a normal number.
template <class D, class V>
HWY_INLINE V scale_by_power(D d, V factor, V shifted) {
  const hn::RebindToSigned<D> di;
  const auto exponent = hn::ShiftLeft<ExpFor<D>::kMantissaBits>(hn::BitCast(di, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, factor), exponent));
}

// The last step to a result that may be subnormal: 2^-k, but 0 at the lowest x (and for NaN), as a
// product that underflows is slow.
template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE V last_scale(D d, V x, T lowest) {
  return hn::IfThenElseZero(hn::Gt(x, hn::Set(d, lowest)),
                            hn::Set(d, 1 / ExpFor<D>::kSubnormalScale));
}

// p 2^n in two steps: 2^n itself may be subnormal (x < 0) or out of range.
template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE V scale_result(D d, V p, V shifted, V x, T lowest) {
  const V scale = hn::Set(d, ExpFor<D>::kSubnormalScale);
  const V first = hn::IfNegativeThenElse(x, scale, hn::Set(d, 0.5));
  const V second = hn::IfNegativeThenElse(x, last_scale(d, x, lowest), hn::Set(d, 2));
  return hn::Mul(hn::Mul(p, scale_by_power(d, first, shifted)), second);
}

// e^x where 2^n is a normal number.
template <class D, class V>
HWY_INLINE V exp_in_range(D d, V x) {
  const auto [shifted, r] = reduce_exponent(d, x);
  return hn::Mul(exp_reduced(d, r), scale_by_power(d, hn::Set(d, 1), shifted));
}

// e^x for x <= 0
template <class D, class V>
HWY_INLINE V exp_below_one(D d, V x) {
  using C = ExpFor<D>;
  x = at_least(d, x, C::kLowest);
  const auto [shifted, r] = reduce_exponent(d, x);
  const V scale = scale_by_power(d, hn::Set(d, C::kSubnormalScale), shifted);
  return hn::Mul(hn::Mul(exp_reduced(d, r), scale), last_scale(d, x, C::kLowest));
}

struct Exp {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    using C = ExpFor<D>;
    x = clamp(d, x, C::kLowest, C::kHighest);
    const auto [shifted, r] = reduce_exponent(d, x);
    return scale_result(d, exp_reduced(d, r), shifted, x, C::kLowest);
  }
};

struct Exp2 {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    using C = ExpFor<D>;
    x = clamp(d, x, C::kLowest2, C::kHighest2);
    const V rounder = hn::Set(d, C::kRounder);
    const V shifted = hn::Add(x, rounder);
    const V r = hn::Mul(hn::Sub(x, hn::Sub(shifted, rounder)), hn::Set(d, C::kLn2));
    return scale_result(d, exp_reduced(d, r), shifted, x, C::kLowest2);
  }
};

struct Expm1 {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    using C = ExpFor<D>;
    const auto [shifted, r] = reduce_exponent(d, clamp(d, x, C::kLowestM1, C::kHighest));
    // Half of the result, since 2^n may be out of range.
    const V half = hn::Set(d, 0.5);
    const V scale = scale_by_power(d, half, shifted);
    const V halved = hn::MulAdd(scale, expm1_reduced(d, r), hn::Sub(scale, half));
    return hn::CopySign(hn::Add(halved, halved), x);
  }
};

// 1 + e^x
template <class D, class V>
HWY_INLINE V one_plus_exp(D d, V x) {
  using C = ExpFor<D>;
  const auto [shifted, r] = reduce_exponent(d, clamp(d, x, C::kLowestM1, C::kHighest));
  // Half of the power, since 2^n may be out of range.
  const V half = hn::Mul(exp_reduced(d, r), scale_by_power(d, hn::Set(d, 0.5), shifted));
  return hn::MulAdd(half, hn::Set(d, 2), hn::Set(d, 1));
}

// The naive formula, which loses nothing: e^-x may be inf, and then the result is 0.
struct Sigmoid {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    return hn::Div(hn::Set(d, 1), one_plus_exp(d, hn::Neg(x)));
  }
};

// e^x / 2 for x >= 0, finite up to where cosh is.
template <class D, class V>
HWY_INLINE V half_exp(D d, V x) {
  using C = ExpFor<D>;
  x = at_most(d, x, C::kHighest + 1);
  const auto [shifted, r] = reduce_exponent(d, x);
  const V quarter = scale_by_power(d, hn::Set(d, 0.25), shifted);
  return hn::Mul(hn::Mul(exp_reduced(d, r), quarter), hn::Set(d, 2));
}

// 1 / (4 h), but not subnormal where it cannot matter. NaN may be lost.
template <class D, class V>
HWY_INLINE V quarter_over(D d, V h) {
  return hn::Div(hn::Set(d, 0.25), hn::Min(h, hn::Set(d, 0x1p1000)));
}

template <class T>
struct TanhConstants;

// (tanh(x) / x - 1) / x^2 in x^2, |x| <= 0.625
template <>
struct TanhConstants<float> {
  static constexpr float kPolynomial[] = {-0.3333333F,  0.13333221F,   -0.053948183F,
                                          0.021706944F, -0.008190218F, 0.0021529442F};
};
template <>
struct TanhConstants<double> {
  static constexpr double kPolynomial[] = {
      -0.33333333333333326,   0.13333333333331207,     -0.05396825396667845,
      0.02186948848245161,    -0.008863234495228937,   0.0035921155608321315,
      -0.0014557348271753913, 0.0005894857910902022,   -0.00023709830135253758,
      9.16990542557762e-05,   -3.0319116641679387e-05, 6.096805736254084e-06};
};

struct Tanh {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    using T = hn::TFromD<D>;
    using C = TanhConstants<T>;
    const V a = hn::Abs(x);
    const V one = hn::Set(d, 1);
    // Beyond 20 the result is 1.
    const V e = exp_in_range(d, at_most(d, hn::Add(a, a), T{40}));
    const V large = hn::Sub(one, hn::Div(hn::Set(d, 2), hn::Add(e, one)));
    const V z = square(d, a);
    const V small = hn::MulAdd(hn::Mul(z, polynomial(d, z, hn::Mul(z, z), C::kPolynomial)), a, a);
    return hn::CopySign(hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.625)), small, large), x);
  }
};

struct Sinh {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    // (sinh(x) / x - 1) / x^2 in x^2, |x| <= 1
    static constexpr double kPolynomial[] = {0.16666666666666669,    0.008333333333332867,
                                             0.00019841269841638432, 2.755731909038077e-06,
                                             2.505213377458633e-08,  1.6056436500421626e-10,
                                             7.783435407139769e-13};
    const V a = hn::Abs(x);
    const V h = half_exp(d, a);
    const V large = hn::Sub(h, quarter_over(d, h));
    const V z = square(d, a);
    const V small = hn::MulAdd(hn::Mul(z, polynomial(d, z, hn::Mul(z, z), kPolynomial)), a, a);
    return hn::CopySign(hn::IfThenElse(hn::Lt(a, hn::Set(d, 1)), small, large), x);
  }
};

struct Cosh {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V h = half_exp(d, hn::Abs(x));
    return hn::Add(h, quarter_over(d, h));
  }
};

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_MATH_EXP_INL
