// What the steps of negative log-likelihoods work on: see nll.cpp.
#pragma once

#include <vector>

#include "kernels/index_operand.hpp"
#include "kernels/kernel.hpp"
#include "kernels/strided.hpp"

namespace arignote {

// What a gradient by scores is computed in. Its weights, and losses beside it, are such numbers.
inline DType number_of(DType scores) { return is_half(scores) ? DType::kFloat32 : scores; }

// Whether a step takes x, y and, for a gradient, g, and makes the gradient and losses, if it has
// them. Halves have no losses alone.
inline bool is_likelihood(const StepSpec& spec, bool has_gradient, bool has_losses) {
  if (spec.input_dtypes.size() < 2 || !is_index_dtype(spec.input_dtypes[1])) return false;
  const DType x = spec.input_dtypes[0];
  const DType number = has_gradient ? number_of(x) : x;
  std::vector<DType> inputs{x, spec.input_dtypes[1]}, outputs;
  std::vector<int> input_ndims{2, 1}, output_ndims;
  if (has_gradient) {
    inputs.push_back(number);
    input_ndims.push_back(1);
    outputs.push_back(x);
    output_ndims.push_back(2);
  }
  if (has_losses) {
    outputs.push_back(number);
    output_ndims.push_back(1);
  }
  const bool shares_well =
      has_gradient ? shares_only(spec, {0}) && only_first_overwrites(spec) : shares_only(spec, {});
  return (number == DType::kFloat32 || number == DType::kFloat64) && shares_well &&
         spec.input_dtypes == inputs && spec.input_ndims == input_ndims &&
         spec.output_dtypes == outputs && spec.output_ndims == output_ndims;
}

}  // namespace arignote
