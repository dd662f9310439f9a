#include "kernels/program_shape.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/strided.hpp"

namespace arignote {
namespace {

std::uint32_t long_axes(std::span<const std::int64_t> shape, std::uint32_t mask) {
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) mask &= ~(std::uint32_t{1} << axis);
  }
  return mask;
}

}  // namespace

bool broadcast(const ElementwiseProgram& program, std::span<const Layout> inputs,
               std::vector<std::int64_t>& shape) {
  shape.assign(static_cast<std::size_t>(program.ndim), 1);
  for (const Layout& layout : inputs) {
    for (int axis = 0; axis < program.ndim; ++axis) {
      const std::int64_t length = layout.shape[axis];
      if (length == 1) continue;
      if (shape[axis] != 1 && shape[axis] != length) return false;
      shape[axis] = length;
    }
  }
  return true;
}

Status check_output(const ElementwiseProgram& program, std::size_t number,
                    std::span<const Layout> inputs, const Layout& layout,
                    std::span<const std::int64_t> shape) {
  const ProgramOutput& output = program.outputs[number];
  int kept = 0;
  for (int axis = 0; axis < program.ndim; ++axis) {
    const bool is_kept = (output.reduced >> axis & 1U) == 0;
    if (is_kept && layout.shape[kept++] != shape[axis]) {
      return Status::bad_plan("an output must have the shape of the inputs, less reduced axes");
    }
  }
  for (const int input : output.shared) {
    // Elements of one size in the same places: then each is read before it is overwritten.
    Layout other = inputs[input];
    if (size_of(other.dtype) == size_of(layout.dtype)) other.dtype = layout.dtype;
    if (!same_layout(other, layout)) {
      return Status::bad_plan("an output must lie as the input whose memory it takes");
    }
  }
  return {};
}

std::vector<std::vector<int>> group_outputs(const ElementwiseProgram& program,
                                            std::span<const std::int64_t> shape) {
  std::vector<int> order(program.outputs.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_partition(order.begin(), order.end(),
                        [&](int number) { return program.outputs[number].reduction != nullptr; });
  std::vector<std::vector<int>> groups;
  std::vector<std::uint32_t> masks;
  for (const int number : order) {
    const std::uint32_t mask = long_axes(shape, program.outputs[number].reduced);
    const bool reduces = program.outputs[number].reduction != nullptr;
    const auto found = reduces ? std::ranges::find(masks, mask) : masks.end();
    if (found != masks.end()) {
      groups[static_cast<std::size_t>(found - masks.begin())].push_back(number);
    } else if (reduces || groups.empty()) {
      groups.push_back({number});
      masks.push_back(mask);
    } else {
      groups.back().push_back(number);
    }
  }
  return groups;
}

}  // namespace arignote
