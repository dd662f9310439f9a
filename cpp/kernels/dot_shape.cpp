#include "kernels/dot_shape.hpp"

#include <utility>
#include <vector>

#include "kernels/strided.hpp"

namespace arignote {
namespace {

Layout as_matrix(Layout operand, bool left) {
  if (operand.ndim == 2) return operand;
  operand.ndim = 2;
  operand.shape[1] = 1;
  operand.strides[1] = static_cast<std::int64_t>(size_of(operand.dtype));
  return left ? transposed(operand) : operand;
}

bool are_multiplied(DType a, DType b, DType out) {
  const bool is_single = out == DType::kFloat32;
  if (is_half(a)) return a == b && out == a;
  return b == out && (a == b || (is_single && is_bytes(a))) && visit_num(out, [](auto) {});
}

}  // namespace

bool is_bytes(DType dtype) {
  return dtype == DType::kBool || dtype == DType::kInt8 || dtype == DType::kUInt8;
}

bool is_dot(const StepSpec& spec) {
  if (spec.input_dtypes.size() != 2 || spec.output_dtypes.size() != 1 || !shares_only(spec, {})) {
    return false;
  }
  const int a = spec.input_ndims[0];
  const int b = spec.input_ndims[1];
  return are_multiplied(spec.input_dtypes[0], spec.input_dtypes[1], spec.output_dtypes[0]) &&
         (a == 1 || a == 2) && (b == 1 || b == 2) && spec.output_ndims[0] == a + b - 2 &&
         (spec.ints.empty() || may_use_tf32(spec));
}

bool may_use_tf32(const StepSpec& spec) {
  return spec.ints == std::vector<std::int64_t>{1} && spec.input_dtypes[0] == DType::kFloat32;
}

Layout transposed(Layout matrix) {
  std::swap(matrix.shape[0], matrix.shape[1]);
  std::swap(matrix.strides[0], matrix.strides[1]);
  return matrix;
}

Status dot_operands(std::span<const Layout> inputs, const Layout& out, DotOperands& operands) {
  operands = {.a = as_matrix(inputs[0], true), .b = as_matrix(inputs[1], false)};
  const auto& [a, b] = operands;
  const bool columns_fit = inputs[1].ndim == 1 || out.shape[out.ndim - 1U] == b.shape[1];
  const bool rows_fit = inputs[0].ndim == 1 || out.shape[0] == a.shape[0];
  if (a.shape[1] != b.shape[0] || !rows_fit || !columns_fit || !out.contiguous()) {
    return Status::bad_plan("[dot] a and b must fit, and out be contiguous");
  }
  return {};
}

}  // namespace arignote
