// The part of the verifier that steps with a body need.
#include <algorithm>
#include <string>

#include "runtime/by_rows.hpp"
#include "runtime/row_sums.hpp"

namespace arignote {
namespace {

// Those are added up before they are rounded.
bool is_half_product(const Plan& plan, int buffer) {
  const auto writes = [&](const Step& step) {
    return step.spec.kernel == "dot" && step.outputs[0] == buffer;
  };
  return is_half(plan.buffer(buffer).dtype) && std::ranges::any_of(plan.steps, writes);
}

}  // namespace

void verify_by_rows(const std::string& where, const StepSpec& spec, const Program& body) {
  const auto require = [&](bool holds, const char* text) {
    if (!holds) throw PlanError(where + " " + text);
  };
  const Plan& plan = body.plan;
  const std::size_t inputs = plan.input_buffers.size();
  require(plan.state_buffers.empty() && plan.updates.empty() && body.schedule.segments.size() == 1,
          "must run a body without states or sizes that its steps compute");
  require(std::ranges::none_of(plan.steps, [](const Step& s) { return s.kind == StepKind::kHost; }),
          "must run a body without host steps");
  require(spec.input_dtypes.size() == inputs && spec.output_dtypes.size() == plan.outputs.size() &&
              spec.ints.size() == inputs + plan.outputs.size(),
          "must have an operand for each input and output of its body, and an int");
  require(std::any_of(spec.ints.begin(), spec.ints.begin() + std::ssize(plan.input_buffers),
                      [](std::int64_t axis) { return axis >= 0; }),
          "must cut some operand");
  for (std::size_t i = 0; i < inputs; ++i) {
    const BufferSpec& input = plan.buffer(plan.input_buffers[i]);
    require(input.dtype == spec.input_dtypes[i] && input.ndim() == spec.input_ndims[i],
            "must have operands as its body's inputs");
    require(spec.ints[i] >= -1 && spec.ints[i] < input.ndim(), "must cut operands along an axis");
  }
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    const BufferSpec& output = plan.buffer(plan.outputs[i]);
    require(output.dtype == spec.output_dtypes[i] && output.ndim() == spec.output_ndims[i],
            "must have outputs as its body's");
    const bool is_sum = spec.ints[inputs + i] != 0;
    const bool can_add = output.dtype != DType::kBool && add_of(output.dtype) != nullptr;
    require(is_sum ? can_add || is_half_product(plan, plan.outputs[i]) : output.ndim() > 0,
            "must add numbers, or put rows below each other");
  }
}

}  // namespace arignote
