// Logarithms and the inverse hyperbolic functions.

#include <string_view>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_logarithmic.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"
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

void list_logarithmic(BlockTable& table) {
  add_direct<Log>(table, "log", 7.0F);
  add_direct<Log1p>(table, "log1p", 10.0F);
  add_direct<Log2>(table, "log2", 9.0F);
  add_direct<Log10>(table, "log10", 9.0F);
  add_widened<ArcSinh>(table, "arcsinh", 25.0F);
  add_widened<ArcCosh>(table, "arccosh", 24.0F);
  add_widened<ArcTanh>(table, "arctanh", 18.0F);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_logarithmic);
void append_logarithmic(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_logarithmic)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
