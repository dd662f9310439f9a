// Exponential and hyperbolic functions.

#include <string_view>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_exponential.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"
#include "kernels/math_exp-inl.hpp"
#include "kernels/math_log-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// float and double by the same template.
template <class Op>
void add_direct(BlockTable& table, std::string_view name, float cost) {
  table.add(name, {DType::kFloat32}, DType::kFloat32, &vector1<Op, Direct<float>>, cost);
  table.add(name, {DType::kFloat64}, DType::kFloat64, &vector1<Op, Direct<double>>, cost);
}

// float through double.
template <class Op>
void add_widened(BlockTable& table, std::string_view name, float cost) {
  table.add(name, {DType::kFloat32}, DType::kFloat32, &vector1<Op, Widened>, 2.0F * cost);
  table.add(name, {DType::kFloat64}, DType::kFloat64, &vector1<Op, Direct<double>>, cost);
}

}  // namespace

void list_exponential(BlockTable& table) {
  add_direct<Exp>(table, "exp", 5.0F);
  add_direct<Exp2>(table, "exp2", 5.0F);
  add_direct<Expm1>(table, "expm1", 5.0F);
  add_direct<Sigmoid>(table, "sigmoid", 8.0F);
  add_direct<Softplus>(table, "softplus", 10.0F);
  add_direct<Tanh>(table, "tanh", 10.0F);
  add_widened<Sinh>(table, "sinh", 10.0F);
  add_widened<Cosh>(table, "cosh", 9.0F);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_exponential);
void append_exponential(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_exponential)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
