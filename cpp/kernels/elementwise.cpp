// The kernel "elementwise": an elementwise program in as few passes over its operands as it needs.
#include <algorithm>
#include <memory>

#include "kernels/program.hpp"
#include "kernels/program_pass.hpp"
#include "kernels/program_shape.hpp"
#include "kernels/tables.hpp"

namespace arignote {
namespace {

class Elementwise final : public Kernel {
 public:
  explicit Elementwise(ElementwiseProgram program) : program_(std::move(program)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!broadcast(program_, inputs, shape_)) {
      return Status::bad_plan("inputs must broadcast to one shape");
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Status status = check_output(program_, i, inputs, outputs[i], shape_);
      if (!status.ok()) return status;
    }
    passes_.clear();
    for (auto& numbers : group_outputs(program_, shape_)) {
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

  // Other passes would have them computed once more.
  bool takes_rows(std::size_t input) const override {
    return passes_.size() == 1 && passes_[0].takes_rows(input);
  }

  Status run(const RunArgs& args) noexcept override {
    for (const Pass& pass : passes_) pass.run(args);
    return {};
  }

 private:
  ElementwiseProgram program_;
  std::vector<std::int64_t> shape_;
  std::vector<Pass> passes_;
};

std::unique_ptr<Kernel> make_elementwise(const StepSpec& spec, Status& status) {
  ElementwiseProgram program;
  status = decode(spec, program);
  if (!status.ok()) return nullptr;
  join_products(program);
  return std::make_unique<Elementwise>(std::move(program));
}

constexpr KernelEntry kElementwise[] = {{"elementwise", make_elementwise}};

}  // namespace

std::span<const KernelEntry> elementwise_kernels() { return kElementwise; }

}  // namespace arignote
