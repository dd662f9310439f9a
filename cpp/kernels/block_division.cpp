// Floor division and remainder, with the signs of Python: scalar loops.

#include <cmath>
#include <string_view>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_division.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// Division by zero gives 0. Dividing by -1 is a negation that wraps: the processor would trap on
// the least integer.
struct IntegerFloorDivide {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return static_cast<T>(Wrapping<T>{0} - static_cast<Wrapping<T>>(a));
      const T quotient = static_cast<T>(a / b);
      return static_cast<T>(quotient - static_cast<T>((a % b != 0) & ((a < 0) != (b < 0))));
    } else {
      return static_cast<T>(a / b);
    }
  }
};

struct IntegerRemainder {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
      const T rest = static_cast<T>(a % b);
      const bool other_sign = (rest != 0) & ((rest < 0) != (b < 0));
      return static_cast<T>(rest + (other_sign ? b : T{0}));
    } else {
      return static_cast<T>(a % b);
    }
  }
};

// Has the sign of b, also as a zero. NaN for b = 0.
struct Remainder {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    const T rest = std::fmod(a, b);
    if (b == 0) return rest;
    if (rest == 0) return std::copysign(T{0}, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
  }
};

// Exact also where a / b rounds to an integer above it: a - fmod(a, b) is a multiple of b.
struct FloorDivide {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if (b == 0) return a / b;
    const T rest = std::fmod(a, b);
    T quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) quotient -= T{1};
    if (quotient == 0) return std::copysign(T{0}, a / b);
    const T floor = std::floor(quotient);
    return quotient - floor > T{0.5} ? floor + T{1} : floor;
  }
};

template <class Op, class... T>
void add_division(BlockTable& table, std::string_view name, Types<T...>, float nanoseconds) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(), &map2<Op, T, T, T>,
             cost_per_element<T>(nanoseconds)),
   ...);
}

}  // namespace

void list_division(BlockTable& table) {
  add_division<IntegerFloorDivide>(table, "floor_div", IntegerTypes{}, 3.0F);
  add_division<IntegerRemainder>(table, "mod", IntegerTypes{}, 3.0F);
  add_division<FloorDivide>(table, "floor_div", FloatTypes{}, 15.0F);
  add_division<Remainder>(table, "mod", FloatTypes{}, 12.0F);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_division);
void append_division(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_division)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
