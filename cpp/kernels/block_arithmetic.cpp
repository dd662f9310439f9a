// Arithmetic that is exact or rounds once: plain loops that the compiler vectorises.

#include <cmath>
#include <string_view>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_arithmetic.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// Integers arrive unsigned, so they wrap; the casts undo the promotion of narrow types to int.
struct Add {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    return static_cast<T>(a + b);
  }
};

struct Subtract {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    return static_cast<T>(a - b);
  }
};

struct Multiply {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    // uint16 would be promoted to int, whose product may overflow.
    if constexpr (std::is_integral_v<T>) return static_cast<T>(1U * a * b);
    return a * b;
  }
};

// Op of a product and another operand, or the other way round: both round.
template <class Op, int kPlace>
struct OfProduct {
  template <class T>
  static HWY_INLINE T apply(T a, T b, T c) {
    const T product = a * b;
    return kPlace == 0 ? Op::template apply<T>(product, c) : Op::template apply<T>(c, product);
  }
};

struct Negate {
  template <class T>
  static HWY_INLINE T apply(T a) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(T{0} - a);
    return -a;
  }
};

struct Square {
  template <class T>
  static HWY_INLINE T apply(T a) {
    return Multiply::apply<T>(a, a);
  }
};

struct Absolute {
  template <class T>
  static HWY_INLINE T apply(T a) {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(a);
    if constexpr (std::is_unsigned_v<T>) return a;
    return a < 0 ? static_cast<T>(Negate::apply(static_cast<Wrapping<T>>(a))) : a;
  }
};

struct Sign {
  template <class T>
  static HWY_INLINE T apply(T a) {
    const T sign = static_cast<T>(static_cast<T>(a > 0) - static_cast<T>(a < 0));
    if constexpr (std::is_floating_point_v<T>) return a != a ? a : sign;
    return sign;
  }
};

// NaN propagates from either side.
struct Maximum {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) return ((a > b) | (a != a)) ? a : b;
    return a > b ? a : b;
  }
};

struct Minimum {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) return ((a < b) | (a != a)) ? a : b;
    return a < b ? a : b;
  }
};

struct Clip {
  template <class T>
  static HWY_INLINE T apply(T a, T low, T high) {
    const T raised = a < low ? low : a;
    return raised > high ? high : raised;
  }
};

constexpr float kCheap = 1.0F;

template <class Op, class... T>
void add_unary(BlockTable& table, std::string_view name, Types<T...>, float cost) {
  (table.add(name, {dtype_of<T>()}, dtype_of<T>(), &map1<Op, Stored<T>, Stored<T>>, cost), ...);
}

template <class Op, class... T>
void add_binary(BlockTable& table, std::string_view name, Types<T...>, float cost) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(),
             &map2<Op, Stored<T>, Stored<T>, Stored<T>>, cost),
   ...);
}

template <class Op, class... T>
void add_ternary(BlockTable& table, std::string_view name, Types<T...>, float cost) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(),
             &map3<Op, T, T, T, T>, cost),
   ...);
}

template <class Op, class... T>
void add_of_product(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add_product(name, 0, dtype_of<T>(), &map3<OfProduct<Op, 0>, T, T, T, T>, kCheap), ...);
  (table.add_product(name, 1, dtype_of<T>(), &map3<OfProduct<Op, 1>, T, T, T, T>, kCheap), ...);
}

// The same machine code serves signed and unsigned integers.
template <class Op, class... T>
void add_wrapping_unary(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(name, {dtype_of<T>()}, dtype_of<T>(), &map1<Op, Wrapping<T>, Wrapping<T>>, kCheap),
   ...);
}

template <class Op, class... T>
void add_wrapping_binary(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(),
             &map2<Op, Wrapping<T>, Wrapping<T>, Wrapping<T>>, kCheap),
   ...);
}

}  // namespace

void list_arithmetic(BlockTable& table) {
  add_wrapping_binary<Add>(table, "add", NumberTypes{});
  add_wrapping_binary<Subtract>(table, "sub", NumberTypes{});
  add_wrapping_binary<Multiply>(table, "mul", NumberTypes{});
  add_of_product<Add>(table, "add", FloatTypes{});
  add_of_product<Subtract>(table, "sub", FloatTypes{});
  add_wrapping_unary<Negate>(table, "neg", NumberTypes{});
  add_wrapping_unary<Square>(table, "sqr", NumberTypes{});
  add_binary<Maximum>(table, "maximum", AllTypes{}, kCheap);
  add_binary<Minimum>(table, "minimum", AllTypes{}, kCheap);
  add_ternary<Clip>(table, "clip", IntegerTypes{}, kCheap);
  add_unary<Absolute>(table, "abs", NumberTypes{}, kCheap);
  add_unary<Sign>(table, "sgn", NumberTypes{}, kCheap);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_arithmetic);
void append_arithmetic(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_arithmetic)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
