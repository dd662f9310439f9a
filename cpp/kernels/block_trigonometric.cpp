// Trigonometric functions and their inverses.

#include <string_view>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_trigonometric.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"
#include "kernels/math_trig-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// float through double.
template <class Op>
void add_widened(BlockTable& table, std::string_view name, float cost) {
  table.add(name, {DType::kFloat32}, DType::kFloat32, &vector1<Op, Widened>, 2.0F * cost);
  table.add(name, {DType::kFloat64}, DType::kFloat64, &vector1<Op, Direct<double>>, cost);
}

}  // namespace

void list_trigonometric(BlockTable& table) {
  add_widened<Sin>(table, "sin", 12.0F);
  add_widened<Cos>(table, "cos", 12.0F);
  add_widened<Tan>(table, "tan", 18.0F);
  add_widened<ArcSin>(table, "arcsin", 15.0F);
  add_widened<ArcCos>(table, "arccos", 15.0F);
  add_widened<ArcTan>(table, "arctan", 12.0F);
  table.add("arctan2", {DType::kFloat32, DType::kFloat32}, DType::kFloat32,
            &vector2<ArcTan2, Widened>, 30.0F);
  table.add("arctan2", {DType::kFloat64, DType::kFloat64}, DType::kFloat64,
            &vector2<ArcTan2, Direct<double>>, 15.0F);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_trigonometric);
void append_trigonometric(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_trigonometric)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
