// Floating-point operations that are one vector instruction or a few.

#include <limits>
#include <string_view>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_floating.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

struct SquareRoot {
  template <class D, class V>
  static HWY_INLINE V apply(D, V x) {
    return hn::Sqrt(x);
  }
};

// Highway's emulated targets forget the sign of a zero, hence CopySign.
struct Ceil {
  template <class D, class V>
  static HWY_INLINE V apply(D, V x) {
    return hn::CopySign(hn::Ceil(x), x);
  }
};

struct Floor {
  template <class D, class V>
  static HWY_INLINE V apply(D, V x) {
    return hn::CopySign(hn::Floor(x), x);
  }
};

struct Trunc {
  template <class D, class V>
  static HWY_INLINE V apply(D, V x) {
    return hn::CopySign(hn::Trunc(x), x);
  }
};

struct RoundHalfToEven {
  template <class D, class V>
  static HWY_INLINE V apply(D, V x) {
    return hn::CopySign(hn::Round(x), x);
  }
};

// Adding the number just below 1/2 and truncating: with 1/2 itself 0.49999999999999994 would
// become 1.
struct RoundHalfAway {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x) {
    using T = hn::TFromD<D>;
    constexpr T kBelowHalf = (T{1} - std::numeric_limits<T>::epsilon() / 2) / 2;
    return Trunc::apply(d, hn::Add(x, hn::CopySign(hn::Set(d, kBelowHalf), x)));
  }
};

// min(max(x, low), high); NaN propagates from all three.
struct Clip {
  template <class D, class V>
  static HWY_INLINE V apply(D, V x, V low, V high) {
    const V raised = hn::IfThenElse(hn::Lt(x, low), low, x);
    const V clipped = hn::IfThenElse(hn::Gt(raised, high), high, raised);
    const auto bounded = hn::And(hn::Eq(low, low), hn::Eq(high, high));
    return hn::IfThenElse(bounded, clipped, hn::Add(low, high));
  }
};

template <class Op, class... T>
void add_unary(BlockTable& table, std::string_view name, Types<T...>, float cost) {
  (table.add(name, {dtype_of<T>()}, dtype_of<T>(), &vector1<Op, Direct<T>>, cost), ...);
}

template <class... T>
void add_clip(BlockTable& table, Types<T...>) {
  (table.add("clip", {dtype_of<T>(), dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(),
             &vector3<Clip, Direct<T>>, 1.5F),
   ...);
}

}  // namespace

void list_floating(BlockTable& table) {
  add_unary<SquareRoot>(table, "sqrt", FloatTypes{}, 6.0F);
  add_unary<Ceil>(table, "ceil", FloatTypes{}, 1.0F);
  add_unary<Floor>(table, "floor", FloatTypes{}, 1.0F);
  add_unary<Trunc>(table, "trunc", FloatTypes{}, 1.0F);
  add_unary<RoundHalfToEven>(table, "round_half_to_even", FloatTypes{}, 1.0F);
  add_unary<RoundHalfAway>(table, "round_half_away", FloatTypes{}, 1.0F);
  add_clip(table, FloatTypes{});
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_floating);
void append_floating(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_floating)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
