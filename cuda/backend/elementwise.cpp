// The kernel "elementwise" of the device: one pass for all outputs that reduce the same axes, the
// last of which also makes those that reduce none.
#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/device.hpp"
#include "backend/program_code.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"
#include "kernels/program_shape.hpp"
#include "runtime/device_memory.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

// How many elements a chunk of a reduction has at least, and how many chunks of all results there
// are at most: enough to keep any device at work.
constexpr std::int64_t kRowChunk = 8192;
constexpr std::int64_t kMostRowChunks = 2048;
constexpr std::int64_t kColumnChunk = 64;
constexpr std::int64_t kMostColumnChunks = 65536;
// Fewer results than a warp has threads are not taken by neighbouring threads, and fewer elements
// than this not by a block.
constexpr std::int64_t kFewResults = kWarpThreads;
constexpr std::int64_t kFewElements = 64;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

Reduction reduction_of(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"sum", "prod", "min", "max", "all", "any"};
  return static_cast<Reduction>(std::ranges::find(kNames, name) - kNames.begin());
}

// Of an operand, along all axes of the program: zero where it is repeated.
using Strides = std::vector<std::int64_t>;

Strides strides_of(const Layout& layout, std::span<const std::int64_t> shape) {
  Strides strides;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides.push_back(layout.shape[axis] == 1 ? 0 : layout.strides[axis]);
  }
  return strides;
}

// The outputs that reduce the same axes, and perhaps those that reduce none.
class Pass {
 public:
  Pass(ElementwiseProgram program, std::vector<int> outputs)
      : program_(std::move(program)), outputs_(std::move(outputs)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs,
              std::span<const std::int64_t> shape) {
    code_ = {};
    if (const Status status = write_code(program_, code_); !status.ok()) return status;
    std::vector<Strides> operands;
    for (const Layout& layout : inputs) operands.push_back(strides_of(layout, shape));
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (program_.outputs[i].reduction == nullptr) {
        operands.push_back(strides_of(outputs[outputs_[i]], shape));
      } else {
        reduced_.push_back(static_cast<int>(i));
      }
    }
    if (reduced_.size() > static_cast<std::size_t>(kMostReductions)) {
      return Status::bad_plan("there must be fewer reductions of the same axes");
    }
    lay_out_axes(shape, operands);
    cut_reduction();
    return {};
  }

  std::size_t workspace_bytes() const {
    return static_cast<std::size_t>(kept_ * chunks_) * reduced_.size() * sizeof(std::uint64_t);
  }

  Status enter(DeviceSession& session) {
    const std::size_t code_bytes = align_up(code_.operations.size() * sizeof(Operation));
    const std::size_t axes_bytes = axes_.size() * sizeof(std::int64_t);
    memory_ = DeviceMemory(&session.device());
    if (!memory_.reserve(code_bytes + axes_bytes)) return Status::out_of_memory(-1);
    const auto upload = [&](const auto& from, std::byte* to) {
      return session.upload(reinterpret_cast<const std::byte*>(from.data()), to,
                            from.size() * sizeof(from[0]));
    };
    args_.operations = reinterpret_cast<const Operation*>(memory_.data());
    args_.axes = reinterpret_cast<const std::int64_t*>(memory_.data() + code_bytes);
    args_.fault = session.fault();
    args_.n_operations = static_cast<int>(code_.operations.size());
    args_.n_slots = code_.n_slots;
    const Status status = upload(code_.operations, memory_.data());
    return status.ok() ? upload(axes_, memory_.data() + code_bytes) : status;
  }

  Status run(const RunArgs& args) {
    const Stream stream = session_of(args).stream();
    std::byte** operand = std::copy(args.inputs.begin(), args.inputs.end(), args_.operands);
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (program_.outputs[i].reduction == nullptr) *operand++ = args.outputs[outputs_[i]];
    }
    if (reduced_.empty()) return status_of(launch_elementwise(args_, stream));
    ReducedOutputs outputs{};
    for (std::size_t i = 0; i < reduced_.size(); ++i) {
      const ProgramOutput& output = program_.outputs[reduced_[i]];
      outputs.items[i] = {.out = args.outputs[outputs_[reduced_[i]]],
                          .slot = static_cast<std::uint16_t>(code_.result_slots[reduced_[i]]),
                          .reduction = reduction_of(output.reduction->name),
                          .from = output.reduction->in,
                          .to = output.reduction->out};
    }
    const ReductionArgs reduction{.program = args_,
                                  .kept = kept_,
                                  .reduced = length_,
                                  .chunks = chunks_,
                                  .is_by_rows = is_by_rows_,
                                  .n_outputs = static_cast<int>(reduced_.size()),
                                  .partial = reinterpret_cast<std::uint64_t*>(args.workspace)};
    return status_of(launch_reduction(reduction, outputs, stream));
  }

 private:
  std::uint32_t mask() const {
    return reduced_.empty() ? 0 : program_.outputs[reduced_[0]].reduced;
  }

  // The axes in the order in which elements are numbered, of which neighbours are joined that all
  // operands walk as one.
  void lay_out_axes(std::span<const std::int64_t> shape, std::span<const Strides> operands) {
    kept_ = length_ = 1;
    std::vector<int> kept, reduced;
    for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
      const bool is_reduced = (mask() >> axis & 1U) != 0;
      (is_reduced ? length_ : kept_) *= shape[axis];
      if (shape[axis] != 1) (is_reduced ? reduced : kept).push_back(axis);
    }
    const bool is_inner = kept.empty() || reduced.empty() || kept.back() < reduced.back();
    is_by_rows_ = kept_ < kFewResults || (is_inner && length_ >= kFewElements);
    std::vector<int> order = is_by_rows_ ? kept : reduced;
    const std::vector<int>& inner = is_by_rows_ ? reduced : kept;
    const std::size_t border = order.size();
    order.insert(order.end(), inner.begin(), inner.end());

    std::vector<std::int64_t> lengths;
    std::vector<Strides> strides(operands.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const int axis = order[i];
      const bool joins =
          i > 0 && i != border && std::ranges::all_of(operands, [&](const Strides& operand) {
            return operand[order[i - 1]] == operand[axis] * shape[axis];
          });
      if (!joins) {
        lengths.push_back(1);
        for (auto& own : strides) own.push_back(0);
      }
      lengths.back() *= shape[axis];
      for (std::size_t n = 0; n < operands.size(); ++n) {
        strides[n].back() = operands[n][axis];
      }
    }
    if (lengths.empty()) {
      lengths.push_back(1);
      for (auto& own : strides) own.push_back(0);
    }
    args_.ndim = static_cast<int>(lengths.size());
    args_.count = kept_ * length_;
    axes_ = lengths;
    for (const auto& own : strides) axes_.insert(axes_.end(), own.begin(), own.end());
  }

  void cut_reduction() {
    const std::int64_t results = std::max<std::int64_t>(1, kept_);
    const std::int64_t wanted = ceil_div(length_, is_by_rows_ ? kRowChunk : kColumnChunk);
    const std::int64_t most = (is_by_rows_ ? kMostRowChunks : kMostColumnChunks) / results;
    chunks_ = std::max<std::int64_t>(1, std::min(wanted, most));
  }

  ElementwiseProgram program_;  // with these outputs only
  std::vector<int> outputs_;    // of the step
  std::vector<int> reduced_;    // of outputs_
  ProgramCode code_;
  ProgramArgs args_{};
  std::vector<std::int64_t> axes_;
  DeviceMemory memory_;  // the code and the axes
  std::int64_t kept_ = 1;
  std::int64_t length_ = 1;
  std::int64_t chunks_ = 1;
  bool is_by_rows_ = true;
};

class Elementwise final : public Kernel {
 public:
  explicit Elementwise(ElementwiseProgram program) : program_(std::move(program)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    std::vector<std::int64_t> shape;
    if (!broadcast(program_, inputs, shape)) {
      return Status::bad_plan("inputs must broadcast to one shape");
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Status status = check_output(program_, i, inputs, outputs[i], shape);
      if (!status.ok()) return status;
    }
    passes_.clear();
    for (const auto& numbers : group_outputs(program_, shape)) {
      ElementwiseProgram part = program_;
      part.outputs.clear();
      for (const int number : numbers) part.outputs.push_back(program_.outputs[number]);
      passes_.push_back(std::make_unique<Pass>(std::move(part), numbers));
      const Status status = passes_.back()->bind(inputs, outputs, shape);
      if (!status.ok()) return status;
    }
    return {};
  }
  std::size_t workspace_bytes() const override {
    std::size_t bytes = 0;
    for (const auto& pass : passes_) bytes = std::max(bytes, pass->workspace_bytes());
    return bytes;
  }
  double cost() const override { return kNanoseconds * static_cast<double>(passes_.size()); }

  Status enter(Session& session) noexcept override {
    for (const auto& pass : passes_) {
      const Status status = pass->enter(static_cast<DeviceSession&>(session));
      if (!status.ok()) return status;
    }
    return {};
  }
  Status run(const RunArgs& args) noexcept override {
    for (const auto& pass : passes_) {
      if (const Status status = pass->run(args); !status.ok()) return status;
    }
    return {};
  }

 private:
  ElementwiseProgram program_;
  std::vector<std::unique_ptr<Pass>> passes_;
};

std::unique_ptr<Kernel> make_elementwise(const StepSpec& spec, Status& status) {
  ElementwiseProgram program;
  status = decode(spec, program);
  if (!status.ok()) return nullptr;
  ProgramCode code;
  status = write_code(program, code);
  if (!status.ok()) return nullptr;
  return std::make_unique<Elementwise>(std::move(program));
}

constexpr KernelEntry kElementwise[] = {{"elementwise", make_elementwise}};

}  // namespace

std::span<const KernelEntry> elementwise_kernels() { return kElementwise; }

}  // namespace arignote::device
