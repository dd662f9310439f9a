// Maximum and minimum, and their logical kin any and all.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_extremum.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/reduce_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

struct Greatest {
  template <class T>
  static HWY_INLINE T neutral() {
    constexpr bool kFloat = std::is_floating_point_v<T>;
    constexpr T kLeast =
        kFloat ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    return kLeast;
  }
  template <class T>
  static HWY_INLINE bool precedes(T a, T b) {
    return a > b;
  }
  template <class V>
  static HWY_INLINE auto vector_precedes(V a, V b) {
    return hn::Gt(a, b);
  }
  template <class D, class V>
  static HWY_INLINE auto of_lanes(D d, V v) {
    return hn::GetLane(hn::MaxOfLanes(d, v));
  }
};

struct Least {
  template <class T>
  static HWY_INLINE T neutral() {
    constexpr bool kFloat = std::is_floating_point_v<T>;
    constexpr T kGreatest =
        kFloat ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
    return kGreatest;
  }
  template <class T>
  static HWY_INLINE bool precedes(T a, T b) {
    return a < b;
  }
  template <class V>
  static HWY_INLINE auto vector_precedes(V a, V b) {
    return hn::Lt(a, b);
  }
  template <class D, class V>
  static HWY_INLINE auto of_lanes(D d, V v) {
    return hn::GetLane(hn::MinOfLanes(d, v));
  }
};

template <class Order, class T>
struct IntegerExtremum {
  using In = T;
  using Acc = T;
  using Out = T;

  static HWY_INLINE Acc neutral() { return Order::template neutral<T>(); }
  static HWY_INLINE Acc lift(In x) { return x; }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return Order::precedes(a, b) ? a : b; }
  static HWY_INLINE Out result(Acc a) { return a; }
  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    return plain_total<IntegerExtremum>(x, count);
  }
};

// NaN wins.
template <class Order, class T>
struct FloatExtremum {
  using In = T;
  using Acc = T;
  using Out = T;

  static HWY_INLINE Acc neutral() { return Order::template neutral<T>(); }
  static HWY_INLINE Acc lift(In x) { return x; }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return (Order::precedes(a, b) | (a != a)) ? a : b; }
  static HWY_INLINE Out result(Acc a) { return a; }

  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    const hn::ScalableTag<T> d;
    if (count < hn::Lanes(d)) return plain_total<FloatExtremum>(x, count);
    return vector_total(d, x, count);
  }

 private:
  static constexpr std::size_t kVectors = 4;

  template <class V>
  static HWY_INLINE V better(V a, V b) {
    return hn::IfThenElse(Order::vector_precedes(a, b), a, b);
  }

  // Comparisons with NaN fail, so it is looked for apart. The last vector overlaps the ones before:
  // an element may count twice.
  template <class D>
  static HWY_INLINE Acc vector_total(D d, const In* x, std::size_t count) {
    const std::size_t lanes = hn::Lanes(d);
    hn::Vec<D> best[kVectors];
    ARN_UNROLL
    for (std::size_t k = 0; k < kVectors; ++k) best[k] = hn::Set(d, neutral());
    auto unordered = hn::IsNaN(best[0]);
    std::size_t i = 0;
    for (; i + kVectors * lanes <= count; i += kVectors * lanes) {
      ARN_UNROLL
      for (std::size_t k = 0; k < kVectors; ++k) {
        const auto v = hn::LoadU(d, x + i + k * lanes);
        best[k] = better(v, best[k]);
        unordered = hn::Or(unordered, hn::IsNaN(v));
      }
    }
    for (; i < count; i += lanes) {
      const auto v = hn::LoadU(d, x + (i + lanes <= count ? i : count - lanes));
      best[0] = better(v, best[0]);
      unordered = hn::Or(unordered, hn::IsNaN(v));
    }
    if (!hn::AllFalse(d, unordered)) return std::numeric_limits<T>::quiet_NaN();
    return Order::of_lanes(d, better(better(best[0], best[1]), better(best[2], best[3])));
  }
};

struct Any {
  static constexpr std::uint8_t kNeutral = 0;
  static HWY_INLINE std::uint8_t combine(std::uint8_t a, std::uint8_t b) {
    return static_cast<std::uint8_t>(a | b);
  }
};

struct All {
  static constexpr std::uint8_t kNeutral = 1;
  static HWY_INLINE std::uint8_t combine(std::uint8_t a, std::uint8_t b) {
    return static_cast<std::uint8_t>(a & b);
  }
};

template <class Logic, class T>
struct Logical {
  using In = T;
  using Acc = std::uint8_t;
  using Out = std::uint8_t;

  static HWY_INLINE Acc neutral() { return Logic::kNeutral; }
  static HWY_INLINE Acc lift(In x) { return static_cast<Acc>(x != 0); }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return Logic::combine(a, b); }
  static HWY_INLINE Out result(Acc a) { return a; }
  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    return plain_total<Logical>(x, count);
  }
};

template <class Policy>
void add_extremum(BlockTable& table, std::string_view name, DType dtype) {
  table.add(ReductionOf<Policy>::entry(name, dtype, dtype, dtype, 1.0F));
}

template <class Order, class... T>
void add_integer_extrema(BlockTable& table, std::string_view name, Types<T...>) {
  (add_extremum<IntegerExtremum<Order, Stored<T>>>(table, name, dtype_of<T>()), ...);
}

template <class Order, class... T>
void add_float_extrema(BlockTable& table, std::string_view name, Types<T...>) {
  (add_extremum<FloatExtremum<Order, T>>(table, name, dtype_of<T>()), ...);
}

template <class Logic, class... T>
void add_logical(BlockTable& table, std::string_view name, Types<T...>) {
  (table.add(ReductionOf<Logical<Logic, Wrapping<T>>>::entry(name, dtype_of<T>(), DType::kBool,
                                                             DType::kBool, 1.0F)),
   ...);
}

}  // namespace

void list_extremum(BlockTable& table) {
  using OrderedTypes = decltype(Types<bool>{} + IntegerTypes{});
  add_integer_extrema<Greatest>(table, "max", OrderedTypes{});
  add_integer_extrema<Least>(table, "min", OrderedTypes{});
  add_float_extrema<Greatest>(table, "max", FloatTypes{});
  add_float_extrema<Least>(table, "min", FloatTypes{});
  add_logical<Any>(table, "any", AllTypes{});
  add_logical<All>(table, "all", AllTypes{});
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_extremum);
void append_extremum(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_extremum)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
