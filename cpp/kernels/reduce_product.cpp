// Products: integers wrap in 64 bits, floating point multiplies in double.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_product.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/reduce_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

template <class T>
struct IntegerProduct {
  using In = T;
  using Acc = std::uint64_t;
  using Out = std::uint64_t;
  using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;

  static HWY_INLINE Acc neutral() { return 1; }
  static HWY_INLINE Acc lift(In x) { return static_cast<Acc>(static_cast<Wide>(x)); }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return a * b; }
  static HWY_INLINE Out result(Acc a) { return a; }
  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    return plain_total<IntegerProduct>(x, count);
  }
};

template <class T>
struct FloatProduct {
  using In = T;
  using Acc = double;
  using Out = T;

  static HWY_INLINE Acc neutral() { return 1.0; }
  static HWY_INLINE Acc lift(In x) { return static_cast<Acc>(x); }
  static HWY_INLINE Acc combine(Acc a, Acc b) { return a * b; }
  static HWY_INLINE Out result(Acc a) { return static_cast<Out>(a); }
  template <class V>
  static HWY_INLINE V combine_vectors(V a, V b) {
    return hn::Mul(a, b);
  }
  static HWY_INLINE Acc total(const In* x, std::size_t count) {
    return LaneTotal<FloatProduct, 16>::of(x, count);
  }
};

template <class... T>
void add_integer_products(BlockTable& table, DType wide, Types<T...>) {
  (table.add(
       ReductionOf<IntegerProduct<Stored<T>>>::entry("prod", dtype_of<T>(), wide, wide, 4.0F)),
   ...);
}

}  // namespace

void list_product(BlockTable& table) {
  add_integer_products(table, DType::kInt64, Types<bool>{} + SignedTypes{});
  add_integer_products(table, DType::kUInt64, UnsignedTypes{});
  table.add(ReductionOf<FloatProduct<float>>::entry("prod", DType::kFloat32, DType::kFloat64,
                                                    DType::kFloat32, 3.0F));
  table.add(ReductionOf<FloatProduct<double>>::entry("prod", DType::kFloat64, DType::kFloat64,
                                                     DType::kFloat64, 2.0F));
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_product);
void append_product(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_product)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
