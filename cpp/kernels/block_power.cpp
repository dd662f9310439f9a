// Powers: integers wrap, float through double vectors, double by the C library.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_power.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"
#include "kernels/math_exp-inl.hpp"
#include "kernels/math_log-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// A negative exponent gives 0 unless the base is 1 or -1: 1/base truncated, with 1/0 taken as 0.
struct IntegerPower {
  template <class T>
  static HWY_INLINE T apply(T base, T exponent) {
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) return reciprocal_power(base, exponent);
    }
    using Word = std::uint64_t;
    auto square = static_cast<Word>(base);
    Word result = 1;
    for (auto rest = static_cast<Word>(exponent); rest != 0; rest >>= 1) {
      if ((rest & 1) != 0) result *= square;
      square *= square;
    }
    return static_cast<T>(result);
  }

 private:
  template <class T>
  static HWY_INLINE T reciprocal_power(T base, T exponent) {
    if (base == 1) return 1;
    if (base != -1) return 0;
    return static_cast<T>((exponent & 1) != 0 ? -1 : 1);
  }
};

struct LibraryPower {
  template <class T>
  static HWY_INLINE T apply(T base, T exponent) {
    return std::pow(base, exponent);
  }
};

// |x|^y = e^(y log|x|) in double is exact enough for float; the rest are the special cases of
// IEEE 754.
struct WidenedPower {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x, V y) {
    const V zero = hn::Zero(d);
    const V one = hn::Set(d, 1);
    const V magnitude = Exp::apply(d, hn::Mul(y, Log::apply(d, hn::Abs(x))));
    const V half = hn::Mul(y, hn::Set(d, 0.5));
    const auto whole = hn::Eq(hn::Round(y), y);
    const auto odd = hn::AndNot(hn::Eq(hn::Round(half), half), whole);
    const V sign = hn::IfThenElseZero(odd, hn::And(hn::SignBit(d), x));
    const V power = hn::Xor(magnitude, sign);
    const V infinity = hn::Set(d, std::numeric_limits<double>::infinity());
    const auto finite_negative = hn::And(hn::Lt(x, zero), hn::Gt(x, hn::Neg(infinity)));
    const auto unreal = hn::AndNot(whole, finite_negative);
    const auto is_one = hn::Or(hn::Eq(x, one), hn::Eq(y, zero));
    const auto of_minus_one = hn::And(hn::Eq(x, hn::Neg(one)), hn::Eq(hn::Abs(y), infinity));
    return hn::IfThenElse(hn::Or(is_one, of_minus_one), one,
                          hn::IfThenElse(unreal, hn::NaN(d), power));
  }
};

template <class... T>
void add_integer_power(BlockTable& table, Types<T...>) {
  (table.add("pow", {dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(), &map2<IntegerPower, T, T, T>,
             cost_per_element<T>(10.0F)),
   ...);
}

}  // namespace

void list_power(BlockTable& table) {
  add_integer_power(table, IntegerTypes{});
  table.add("pow", {DType::kFloat32, DType::kFloat32}, DType::kFloat32,
            &vector2<WidenedPower, Widened>, 40.0F);
  table.add("pow", {DType::kFloat64, DType::kFloat64}, DType::kFloat64,
            &map2<LibraryPower, double, double, double>, cost_per_element<double>(15.0F));
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_power);
void append_power(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_power)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
