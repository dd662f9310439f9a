// The kernel "elementwise": an elementwise program in as few passes over its operands as it needs.
#include <algorithm>
#include <memory>
#include <numeric>

#include "kernels/program.hpp"
#include "kernels/program_pass.hpp"
#include "kernels/strided.hpp"
#include "kernels/tables.hpp"

namespace arignote {
namespace {

class Elementwise final : public Kernel {
 public:
  explicit Elementwise(ElementwiseProgram program) : program_(std::move(program)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!broadcast(inputs)) return Status::bad_plan("inputs must broadcast to one shape");
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (const Status status = check_output(i, inputs, outputs[i]); !status.ok()) return status;
    }
    passes_.clear();
    for (auto& numbers : group_outputs()) {
      const Status status =
          passes_.emplace_back().bind(program_, std::move(numbers), inputs, outputs, shape_);
      if (!status.ok()) return status;
    }
    return {};
  }

  std::size_t workspace_bytes() const override {
    std::size_t bytes = 0;
    for (const Pass& pass : passes_) bytes = std::max(bytes, pass.workspace_bytes());
    return bytes;
  }

  double cost() const override {
    double sum = 0;
    for (const Pass& pass : passes_) sum += pass.cost();
    return sum;
  }

  Status run(const RunArgs& args) noexcept override {
    for (const Pass& pass : passes_) pass.run(args);
    return {};
  }

 private:
  bool broadcast(std::span<const Layout> inputs) {
    shape_.assign(static_cast<std::size_t>(program_.ndim), 1);
    for (const Layout& layout : inputs) {
      for (int axis = 0; axis < program_.ndim; ++axis) {
        const std::int64_t length = layout.shape[axis];
        if (length == 1) continue;
        if (shape_[axis] != 1 && shape_[axis] != length) return false;
        shape_[axis] = length;
      }
    }
    return true;
  }

  Status check_output(std::size_t number, std::span<const Layout> inputs,
                      const Layout& layout) const {
    const ProgramOutput& output = program_.outputs[number];
    int kept = 0;
    for (int axis = 0; axis < program_.ndim; ++axis) {
      const bool is_kept = (output.reduced >> axis & 1U) == 0;
      if (is_kept && layout.shape[kept++] != shape_[axis]) {
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

  // Outputs that reduce the same axes, and those that reduce none, are made in one pass. The last
  // pass has the latter: they may overwrite inputs.
  std::vector<std::vector<int>> group_outputs() const {
    std::vector<int> order(program_.outputs.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_partition(order.begin(), order.end(), [&](int number) {
      return program_.outputs[number].reduction != nullptr;
    });
    std::vector<std::vector<int>> groups;
    std::vector<std::uint32_t> masks;
    for (const int number : order) {
      const std::uint32_t mask = long_axes(program_.outputs[number].reduced);
      const bool reduces = program_.outputs[number].reduction != nullptr;
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

  std::uint32_t long_axes(std::uint32_t mask) const {
    for (int axis = 0; axis < program_.ndim; ++axis) {
      if (shape_[axis] == 1) mask &= ~(std::uint32_t{1} << axis);
    }
    return mask;
  }

  ElementwiseProgram program_;
  std::vector<std::int64_t> shape_;
  std::vector<Pass> passes_;
};

std::unique_ptr<Kernel> make_elementwise(const StepSpec& spec, Status& status) {
  ElementwiseProgram program;
  status = decode(spec, program);
  if (!status.ok()) return nullptr;
  return std::make_unique<Elementwise>(std::move(program));
}

constexpr KernelEntry kElementwise[] = {{"elementwise", make_elementwise}};

}  // namespace

std::span<const KernelEntry> elementwise_kernels() { return kElementwise; }

}  // namespace arignote
