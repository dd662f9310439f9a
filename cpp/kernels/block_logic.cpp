// Comparisons, bits, selection and copies: plain loops that the compiler vectorises.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_logic.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

#define ARN_BINARY(Name, expression)                                                               \
  struct Name {                                                                                    \
    template <class R, class T>                                                                    \
    static HWY_INLINE R apply(T a, T b) {                                                          \
      return static_cast<R>(expression);                                                           \
    }                                                                                              \
  }

ARN_BINARY(Equal, a == b);
ARN_BINARY(NotEqual, a != b);
ARN_BINARY(Less, a < b);
ARN_BINARY(LessEqual, a <= b);
ARN_BINARY(Greater, a > b);
ARN_BINARY(GreaterEqual, a >= b);
ARN_BINARY(And, a& b);
ARN_BINARY(Or, a | b);
ARN_BINARY(Xor, a ^ b);

#undef ARN_BINARY

struct Not {
  template <class R, class T>
  static HWY_INLINE R apply(T a) {
    return static_cast<R>(~a);
  }
};

struct LogicalNot {
  template <class R, class T>
  static HWY_INLINE R apply(T a) {
    return static_cast<R>(a == 0);
  }
};

struct IsNan {
  template <class R, class T>
  static HWY_INLINE R apply(T a) {
    return static_cast<R>(a != a);
  }
};

struct IsInf {
  template <class R, class T>
  static HWY_INLINE R apply(T a) {
    constexpr T kInfinity = std::numeric_limits<T>::infinity();
    return static_cast<R>((a == kInfinity) | (a == -kInfinity));
  }
};

struct Switch {
  template <class R, class T>
  static HWY_INLINE R apply(std::uint8_t condition, T a, T b) {
    return condition != 0 ? a : b;
  }
};

template <class T>
void copy(const void* const* in, void* out, std::size_t count) noexcept {
  if (out != in[0]) std::memcpy(out, in[0], count * sizeof(T));
}

// 64 results take as many operands.
template <class T>
constexpr float comparison_cost() {
  return 0.8F * static_cast<float>(sizeof(T));
}

template <class Op, class... T>
void add_equality(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>()}, DType::kBool,
             &map2<Op, std::uint8_t, Wrapping<T>, Wrapping<T>>, comparison_cost<T>()),
   ...);
}

template <class Op, class... T>
void add_order(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>()}, DType::kBool,
             &map2<Op, std::uint8_t, Stored<T>, Stored<T>>, comparison_cost<T>()),
   ...);
}

template <class Op, class... T>
void add_property(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(name, {dtype_of<T>()}, DType::kBool, &map1<Op, std::uint8_t, T>, comparison_cost<T>()),
   ...);
}

template <class Op, class... T>
void add_bitwise(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(name, {dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(),
             &map2<Op, Wrapping<T>, Wrapping<T>, Wrapping<T>>, 1.0F),
   ...);
}

template <class... T>
void add_moves(BlockTable& table, Types<T...>) {
  (table.add("identity", {dtype_of<T>()}, dtype_of<T>(), &copy<Wrapping<T>>, 1.0F), ...);
  (table.add("switch", {DType::kBool, dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(),
             &map3<Switch, Wrapping<T>, std::uint8_t, Wrapping<T>, Wrapping<T>>, 1.0F),
   ...);
}

template <class... T>
void add_invert(BlockTable& table, Types<T...>) {
  table.add("invert", {DType::kBool}, DType::kBool, &map1<LogicalNot, std::uint8_t, std::uint8_t>,
            1.0F);
  (table.add("invert", {dtype_of<T>()}, dtype_of<T>(), &map1<Not, Wrapping<T>, Wrapping<T>>, 1.0F),
   ...);
}

}  // namespace

void list_logic(BlockTable& table) {
  using BitTypes = decltype(Types<bool>{} + IntegerTypes{});
  add_equality<Equal>(table, "eq", AllTypes{});
  add_equality<NotEqual>(table, "neq", AllTypes{});
  add_order<Less>(table, "lt", AllTypes{});
  add_order<LessEqual>(table, "le", AllTypes{});
  add_order<Greater>(table, "gt", AllTypes{});
  add_order<GreaterEqual>(table, "ge", AllTypes{});
  add_property<IsNan>(table, "isnan", FloatTypes{});
  add_property<IsInf>(table, "isinf", FloatTypes{});
  add_bitwise<And>(table, "and_", BitTypes{});
  add_bitwise<Or>(table, "or_", BitTypes{});
  add_bitwise<Xor>(table, "xor", BitTypes{});
  add_bitwise<Or>(table, "add", Types<bool>{});
  add_bitwise<And>(table, "mul", Types<bool>{});
  add_invert(table, IntegerTypes{});
  add_moves(table, AllTypes{});
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_logic);
void append_logic(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_logic)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
