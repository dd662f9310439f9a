// Trigonometric functions and their inverses on Highway vectors of double. Compiled once per SIMD
// target: include after hwy/foreach_target.h and hwy/highway.h.
//
// Cody-Waite reduction by multiples of pi/2 in four parts and minimax polynomials (J.-M. Muller,
// Elementary Functions, 3rd ed., ch. 11); far arguments go to the C library lane by lane.

#if defined(ARN_MATH_TRIG_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_MATH_TRIG_INL
#undef ARN_MATH_TRIG_INL
#else
#define ARN_MATH_TRIG_INL
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"

#include "kernels/math_exp-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// x = n pi/2 + r + tail, |r| <= pi/4
template <class V>
struct ReducedAngle {
  V shifted;  // n, in its low bits
  V r;
  V tail;
};

// n times each of the first three parts is exact up to here.
constexpr double kFarAngle = 1e6;

template <class D, class V>
HWY_INLINE ReducedAngle<V> reduce_angle(D d, V x) {
  constexpr double kTwoOverPi = 0.6366197723675814;
  constexpr double kParts[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                               0x1.b839a252049c1p-104};
  const V rounder = hn::Set(d, ExpConstants<double>::kRounder);
  const V shifted = hn::MulAdd(x, hn::Set(d, kTwoOverPi), rounder);
  const V n = hn::Sub(shifted, rounder);
  const V first = hn::NegMulAdd(n, hn::Set(d, kParts[0]), x);
  const V product = hn::Mul(n, hn::Set(d, kParts[1]));
  const V second = hn::Sub(first, product);
  const V error = hn::Sub(hn::Sub(first, second), product);
  V rest = hn::NegMulAdd(n, hn::Set(d, kParts[2]), error);
  rest = hn::NegMulAdd(n, hn::Set(d, kParts[3]), rest);
  const V r = hn::Add(second, rest);
  return {shifted, r, hn::Add(hn::Sub(second, r), rest)};
}

// sin and cos of r + tail
template <class D, class V>
HWY_INLINE V sin_reduced(D d, V r, V tail) {
  // (sin(r) / r - 1) / r^2 in r^2
  static constexpr double kPolynomial[] = {-0.1666666666666664,     0.008333333333323992,
                                           -0.00019841269830814595, 2.7557313985278615e-06,
                                           -2.50507980112496e-08,   1.589885139920229e-10};
  const V z = square(d, r);
  const V excess = hn::Mul(z, polynomial(d, z, hn::Mul(z, z), kPolynomial));
  // sin(r + t) = sin(r) + t cos(r)
  const V cosine = hn::NegMulAdd(z, hn::Set(d, 0.5), hn::Set(d, 1));
  return hn::Add(r, hn::MulAdd(r, excess, hn::Mul(tail, cosine)));
}

template <class D, class V>
HWY_INLINE V cos_reduced(D d, V r, V tail) {
  // (cos(r) - 1 + r^2/2) / r^4 in r^2
  static constexpr double kPolynomial[] = {0.04166666666666665,    -0.001388888888888171,
                                           2.480158729367167e-05,  -2.7557315444238903e-07,
                                           2.0875859133646035e-09, -1.1366158062644718e-11};
  const V one = hn::Set(d, 1);
  const V z = square(d, r);
  const V half = hn::Mul(z, hn::Set(d, 0.5));
  const V leading = hn::Sub(one, half);
  const V lost = hn::Sub(hn::Sub(one, leading), half);
  // cos(r + t) = cos(r) - t sin(r)
  const V rest = hn::MulAdd(hn::Mul(z, z), polynomial(d, z, hn::Mul(z, z), kPolynomial), lost);
  return hn::Add(leading, hn::NegMulAdd(r, tail, rest));
}

using Function = double (*)(double);

// Recomputes the lanes beyond kFarAngle; inf gives NaN there as well.
template <class D, class V>
HWY_INLINE V repair_far(D d, V x, V result, Function function) {
  const auto far = hn::Gt(hn::Abs(x), hn::Set(d, kFarAngle));
  if (HWY_LIKELY(hn::AllFalse(d, far))) return result;
  HWY_ALIGN double arguments[hn::MaxLanes(D())];
  HWY_ALIGN double results[hn::MaxLanes(D())];
  hn::Store(x, d, arguments);
  hn::Store(result, d, results);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (std::fabs(arguments[i]) > kFarAngle) results[i] = function(arguments[i]);
  }
  return hn::Load(d, results);
}

// An odd function keeps the sign of zero, which the reduction loses.
template <class D, class V>
HWY_INLINE V keep_zero(D d, V x, V result) {
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, result);
}

// Sine of x + quarter_turns pi/2
template <class D, class V>
HWY_INLINE V shifted_sine(D d, V x, std::uint64_t quarter_turns) {
  const hn::RebindToUnsigned<D> du;
  const auto [shifted, r, tail] = reduce_angle(d, x);
  const auto quadrant = hn::Add(hn::BitCast(du, shifted), hn::Set(du, quarter_turns));
  const auto one = hn::Set(du, std::uint64_t{1});
  const auto even = hn::MaskFromVec(
      hn::BitCast(d, hn::VecFromMask(du, hn::Eq(hn::And(quadrant, one), hn::Zero(du)))));
  const V value = hn::IfThenElse(even, sin_reduced(d, r, tail), cos_reduced(d, r, tail));
  const auto sign = hn::ShiftLeft<62>(hn::AndNot(one, quadrant));
  return hn::Xor(value, hn::And(hn::SignBit(d), hn::BitCast(d, sign)));
}

struct Sin {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V sine = repair_far(d, x, shifted_sine(d, x, 0), static_cast<Function>(std::sin));
    return keep_zero(d, x, sine);
  }
};

struct Cos {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    return repair_far(d, x, shifted_sine(d, x, 1), static_cast<Function>(std::cos));
  }
};

struct Tan {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const hn::RebindToUnsigned<D> du;
    const auto [shifted, r, tail] = reduce_angle(d, x);
    const auto bit = hn::And(hn::BitCast(du, shifted), hn::Set(du, std::uint64_t{1}));
    const auto odd =
        hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(du, hn::Ne(bit, hn::Zero(du)))));
    const V s = sin_reduced(d, r, tail);
    const V c = cos_reduced(d, r, tail);
    const V quotient = hn::Div(hn::IfThenElse(odd, hn::Neg(c), s), hn::IfThenElse(odd, s, c));
    return keep_zero(d, x, repair_far(d, x, quotient, static_cast<Function>(std::tan)));
  }
};

// pi/2 = high + low
constexpr double kHalfPiHigh = 0x1.921fb54442d18p+0;
constexpr double kHalfPiLow = 0x1.1a62633145c07p-54;

// octant pi/4 + sign arctan(numerator / denominator), operands positive or zero
template <class D, class V>
HWY_INLINE V arctan_of_quotient(D d, V numerator, V denominator, V octant, V sign) {
  // (arctan(q) / q - 1) / q^2 in q^2, |q| <= tan(pi/8)
  static constexpr double kPolynomial[] = {
      -0.3333333333333333,   0.199999999999987,   -0.1428571428548927,  0.11111111093382633,
      -0.09090908304734285,  0.07692285924226996, -0.06666268349429784, 0.05877389286233098,
      -0.052205629079213604, 0.04511632009836588, -0.03364907229369274, 0.015360790487045074};
  constexpr double kTanPi8 = 0.41421356237309503;
  const V zero = hn::Zero(d);
  const auto middle = hn::Gt(numerator, hn::Mul(denominator, hn::Set(d, kTanPi8)));
  const V q = hn::Div(hn::Sub(numerator, hn::IfThenElse(middle, denominator, zero)),
                      hn::Add(denominator, hn::IfThenElse(middle, numerator, zero)));
  const V z = square(d, q);
  const V angle =
      hn::Mul(sign, hn::MulAdd(hn::Mul(z, polynomial(d, z, hn::Mul(z, z), kPolynomial)), q, q));
  const V base = hn::Add(octant, hn::IfThenElse(middle, sign, zero));
  // A multiple of pi/4 up to 4 is exact in `high`.
  const V low = hn::MulAdd(base, hn::Set(d, kHalfPiLow / 2), angle);
  return hn::MulAdd(base, hn::Set(d, kHalfPiHigh / 2), low);
}

struct ArcTan {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V a = hn::Abs(x);
    const V one = hn::Set(d, 1);
    const auto beyond = hn::Gt(a, one);
    const V numerator = hn::IfThenElse(beyond, one, a);
    const V denominator = hn::IfThenElse(beyond, a, one);
    const V octant = hn::IfThenElse(beyond, hn::Set(d, 2), hn::Zero(d));
    const V sign = hn::IfThenElse(beyond, hn::Set(d, -1), one);
    return hn::CopySign(arctan_of_quotient(d, numerator, denominator, octant, sign), x);
  }
};

struct ArcTan2 {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V y, V x) {
    const V zero = hn::Zero(d);
    const V one = hn::Set(d, 1);
    const V two = hn::Set(d, 2);
    const V ax = hn::Abs(x);
    const V ay = hn::Abs(y);
    const auto steep = hn::Gt(ay, ax);
    V small = hn::IfThenElse(steep, ax, ay);
    V large = hn::IfThenElse(steep, ay, ax);
    rescale(d, small, large);
    V octant = hn::IfThenElse(steep, two, zero);
    V sign = hn::IfThenElse(steep, hn::Neg(one), one);
    // By the sign bit: -0 is to the left.
    const auto left = hn::Lt(hn::CopySign(one, x), zero);
    octant = hn::IfThenElse(left, hn::Sub(hn::Set(d, 4), octant), octant);
    sign = hn::IfThenElse(left, hn::Neg(sign), sign);
    const V angle = arctan_of_quotient(d, small, large, octant, sign);
    const V sum = hn::Add(x, y);
    const auto ordered = hn::And(hn::Eq(x, x), hn::Eq(y, y));
    return hn::IfThenElse(ordered, hn::CopySign(angle, y), sum);
  }

 private:
  // Keeps small + large in range: 0/0 means 0, inf/inf means 1.
  template <class D, class V>
  static HWY_INLINE void rescale(D d, V& small, V& large) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const V zero = hn::Zero(d);
    const V one = hn::Set(d, 1);
    const auto low = hn::Lt(large, hn::Set(d, 0x1p-900));
    const auto high = hn::Gt(large, hn::Set(d, 0x1p900));
    if (HWY_LIKELY(hn::AllFalse(d, hn::Or(low, high)))) return;
    const V infinity = hn::Set(d, kInfinity);
    const V scale =
        hn::IfThenElse(low, hn::Set(d, 0x1p200), hn::IfThenElse(high, hn::Set(d, 0x1p-200), one));
    const auto infinite = hn::Eq(large, infinity);
    const V indicator = hn::IfThenElse(hn::Eq(small, infinity), one, zero);
    small = hn::IfThenElse(infinite, indicator, hn::Mul(small, scale));
    const auto unit = hn::Or(infinite, hn::Eq(large, zero));
    large = hn::IfThenElse(unit, one, hn::Mul(large, scale));
  }
};

// arcsin(s) / s - 1 in z = s^2 for |s| <= 1/2
template <class D, class V>
HWY_INLINE V arcsin_excess(D d, V z) {
  static constexpr double kPolynomial[] = {
      0.16666666666666663,   0.07500000000001748, 0.04464285714038606,  0.03038194461162216,
      0.022372152558954007,  0.0173529270267991,  0.01396211380285053,  0.01158375225766682,
      0.009496579716310285,  0.00995177697477259, 0.000865750951693092, 0.024444569546660216,
      -0.025680011526324032, 0.03338517934836479};
  return hn::Mul(z, polynomial(d, z, hn::Mul(z, z), kPolynomial));
}

// Beyond 1/2 through arcsin(a) = pi/2 - 2 arcsin(sqrt((1 - a) / 2)).
struct ArcSin {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V a = hn::Abs(x);
    const V half = hn::Set(d, 0.5);
    const auto large = hn::Gt(a, half);
    const V z = hn::IfThenElse(large, hn::NegMulAdd(a, half, half), square(d, a));
    const V s = hn::IfThenElse(large, hn::Sqrt(z), a);
    const V excess = arcsin_excess(d, z);
    const V twice = hn::Set(d, 2);
    const V rest = hn::NegMulAdd(hn::Mul(twice, s), excess, hn::Set(d, kHalfPiLow));
    const V far = hn::Add(hn::NegMulAdd(twice, s, hn::Set(d, kHalfPiHigh)), rest);
    return hn::CopySign(hn::IfThenElse(large, far, hn::MulAdd(s, excess, s)), x);
  }
};

struct ArcCos {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    const V a = hn::Abs(x);
    const V half = hn::Set(d, 0.5);
    const auto large = hn::Gt(a, half);
    const V z = hn::IfThenElse(large, hn::NegMulAdd(a, half, half), square(d, a));
    const V s = hn::IfThenElse(large, hn::Sqrt(z), x);
    const V excess = arcsin_excess(d, z);
    const V low = hn::NegMulAdd(s, excess, hn::Set(d, kHalfPiLow));
    const V complement = hn::Sub(hn::Set(d, kHalfPiHigh), hn::Sub(s, low));
    const V direct = hn::MulAdd(s, excess, s);
    const V far = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), complement, direct);
    return hn::IfThenElse(large, hn::Add(far, far), complement);
  }
};

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_MATH_TRIG_INL
