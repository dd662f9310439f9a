// The kernel "elementwise" of the device: one pass for all outputs that reduce the same axes, the
// last of which also makes those that reduce none.
#include "backend/elementwise.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "backend/compiler.hpp"
#include "backend/device.hpp"
#include "backend/program_axes.hpp"
#include "backend/program_code.hpp"
#include "backend/program_source.hpp"
#include "backend/session.hpp"
#include "backend/step_group.hpp"
#include "backend/table.hpp"
#include "core/division.hpp"
#include "kernels/program_shape.hpp"
#include "runtime/device_memory.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

// How many elements a chunk of a reduction has at least, and how many chunks of all results there
// are at most: enough to keep any device at work.
constexpr std::int64_t kRowChunk = 8192;
constexpr std::int64_t kMostRowChunks = 4096;
constexpr std::int64_t kColumnChunk = 64;
constexpr std::int64_t kMostColumnChunks = std::int64_t{1} << 19;

// A program of fewer elements than this is interpreted. Compiling takes some tenths of a second,
// once; what it saves of a run grows with the elements, and of fewer than a device has threads to
// work on at a time a launch costs more than either kernel.
constexpr std::int64_t kLeastCompiled = std::int64_t{1} << 16;

Strides strides_of(const Layout& layout, std::span<const std::int64_t> shape) {
  Strides strides;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides.push_back(layout.shape[axis] == 1 ? 0 : layout.strides[axis]);
  }
  return strides;
}

// Of elements of so many bytes.
Reach reach_of(const ProgramAxes& axes, const Strides& strides, std::size_t item) {
  Reach reach{.begin = 0, .end = static_cast<std::int64_t>(item), .is_dense = true};
  auto dense = static_cast<std::int64_t>(item);
  for (std::size_t axis = axes.lengths.size(); axis-- > 0;) {
    const std::int64_t last = (axes.lengths[axis] - 1) * strides[axis];
    (last < 0 ? reach.begin : reach.end) += last;
    reach.is_dense &= axes.lengths[axis] == 1 || strides[axis] == dense;
    dense *= axes.lengths[axis];
  }
  return reach;
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
        values_.push_back(value_of_output(i));
      }
    }
    if (reduced_.size() > static_cast<std::size_t>(kMostReductions)) {
      return Status::bad_plan("there must be fewer reductions of the same axes");
    }
    axes_ = lay_out_axes(shape, std::move(operands), mask());
    args_.ndim = static_cast<int>(axes_.lengths.size());
    args_.border = axes_.border;
    args_.count = axes_.count();
    cut_reduction();
    find_reaches(inputs, outputs);
    return {};
  }

  std::size_t workspace_bytes() const {
    return static_cast<std::size_t>(axes_.kept * chunks_) * reduced_.size() * sizeof(std::uint64_t);
  }

  Status enter(DeviceSession& session) {
    const std::size_t code_bytes = align_up(code_.operations.size() * sizeof(Operation));
    const std::vector<std::int64_t> axes = axes_.numbers();
    const std::size_t axes_bytes = axes.size() * sizeof(std::int64_t);
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
    if (args_.count >= kLeastCompiled) compile(session.device());
    const Status status = upload(code_.operations, memory_.data());
    return status.ok() ? upload(axes, memory_.data() + code_bytes) : status;
  }

  std::optional<SmallStep> small_step(const RunArgs& args) const {
    if (reaches_.empty() || kernel_ != nullptr) return std::nullopt;
    SmallStep step{.program = {.operations = args_.operations,
                               .axes = args_.axes,
                               .count = args_.count,
                               .n_operations = args_.n_operations,
                               .ndim = args_.ndim,
                               .operands = {}},
                   .reaches = reaches_,
                   .n_read = args.inputs.size()};
    point(args, step.program.operands);
    return step;
  }

  Status run(const RunArgs& args) {
    const Stream stream = session_of(args).stream();
    point(args, args_.operands);
    if (reduced_.empty()) return status_of(run_elements(stream));
    ReducedOutputs outputs{};
    for (std::size_t i = 0; i < reduced_.size(); ++i) {
      outputs.items[i] = {.out = args.outputs[outputs_[reduced_[i]]],
                          .value = values_[i],
                          .to = program_.outputs[reduced_[i]].reduction->out};
    }
    const ReductionArgs reduction{.program = args_,
                                  .kept = axes_.kept,
                                  .reduced = axes_.reduced,
                                  .chunks = chunks_,
                                  .is_by_rows = axes_.is_by_rows,
                                  .n_outputs = static_cast<int>(reduced_.size()),
                                  .partial = reinterpret_cast<std::uint64_t*>(args.workspace)};
    const int error = run_chunks(reduction, outputs, stream);
    return status_of(error != 0 ? error : launch_join(reduction, outputs, stream));
  }

 private:
  void point(const RunArgs& args, std::byte** operand) const {
    operand = std::copy(args.inputs.begin(), args.inputs.end(), operand);
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (program_.outputs[i].reduction == nullptr) *operand++ = args.outputs[outputs_[i]];
    }
  }

  // Of the operands of a small program; of others none.
  void find_reaches(std::span<const Layout> inputs, std::span<const Layout> outputs) {
    const std::size_t count = inputs.size() + outputs_.size();
    if (!reduced_.empty() || count > std::size_t{kMostSmallOperands} ||
        code_.n_slots > kMostSmallSlots || args_.count == 0 || args_.count >= kLeastCompiled) {
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const DType dtype =
          i < inputs.size() ? inputs[i].dtype : outputs[outputs_[i - inputs.size()]].dtype;
      reaches_.push_back(reach_of(axes_, axes_.strides[i], size_of(dtype)));
    }
  }

  std::uint32_t mask() const {
    return reduced_.empty() ? 0 : program_.outputs[reduced_[0]].reduced;
  }

  ReducedValue value_of_output(std::size_t i) const {
    const BlockReduction& reduction = *program_.outputs[i].reduction;
    return {.slot = static_cast<std::uint16_t>(code_.result_slots[i]),
            .reduction = reduction_of(reduction.name),
            .from = reduction.in};
  }

  void compile(Device& device) {
    const ProgramSource source = write_source(code_, axes_, values_);
    kernel_ = device.compile(source.text, kProgramKernel);
    count_ = source.count;
  }

  // Compiled or not, they compute the same.
  int run_elements(Stream stream) {
    if (kernel_ == nullptr) return launch_elementwise(args_, stream);
    void* arguments[] = {&args_};
    return launch_kernel(kernel_, grid_of(args_, count_), stream, arguments);
  }
  int run_chunks(ReductionArgs args, ReducedOutputs outputs, Stream stream) const {
    if (kernel_ == nullptr) return launch_reduction(args, outputs, stream);
    void* arguments[] = {&args, &outputs};
    return launch_kernel(kernel_, grid_of(args), stream, arguments);
  }

  void cut_reduction() {
    const std::int64_t results = std::max<std::int64_t>(1, axes_.kept);
    const bool by_rows = axes_.is_by_rows;
    const std::int64_t wanted = ceil_div(axes_.reduced, by_rows ? kRowChunk : kColumnChunk);
    const std::int64_t most = (by_rows ? kMostRowChunks : kMostColumnChunks) / results;
    chunks_ = std::max<std::int64_t>(1, std::min(wanted, most));
  }

  ElementwiseProgram program_;  // with these outputs only
  std::vector<int> outputs_;    // of the step
  std::vector<int> reduced_;    // of outputs_
  std::vector<ReducedValue> values_;  // that are reduced
  ProgramCode code_;
  ProgramArgs args_{};
  ProgramAxes axes_;
  std::vector<Reach> reaches_;
  DeviceMemory memory_;  // the code and the axes
  std::int64_t chunks_ = 1;
  void* kernel_ = nullptr;  // null: the program is interpreted
  int count_ = 1;           // elements of a thread of the kernel
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

  Status enter(Session& session) noexcept override try {
    for (const auto& pass : passes_) {
      const Status status = pass->enter(static_cast<DeviceSession&>(session));
      if (!status.ok()) return status;
    }
    return {};
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory(-1);
  }
  Status run(const RunArgs& args) noexcept override {
    for (const auto& pass : passes_) {
      if (const Status status = pass->run(args); !status.ok()) return status;
    }
    return {};
  }
  // Together with other small programs that share nothing with it, nor with each other.
  Status run_with(const RunArgs& args, std::span<const Work> next,
                  std::size_t& taken) noexcept override {
    DeviceSession& session = session_of(args);
    taken = 0;
    std::optional<SmallStep> step = small_step(args);
    if (!step || session.waits_for_steps()) return run(args);
    SmallPrograms programs{};
    StepGroup group;
    while (step && group.add(*step) == programs.count) {
      programs.items[programs.count++] = step->program;
      if (programs.count == kMostSmallPrograms) break;
      const auto done = static_cast<std::size_t>(programs.count) - 1;
      step = done < next.size() ? device::small_step(next[done]) : std::nullopt;
    }
    taken = static_cast<std::size_t>(programs.count) - 1;
    if (taken == 0) return run(args);
    programs.fault = session.fault();
    return status_of(launch_small_programs(programs, session.stream()));
  }

  std::optional<SmallStep> small_step(const RunArgs& args) const {
    return passes_.size() == 1 ? passes_[0]->small_step(args) : std::nullopt;
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

std::optional<SmallStep> small_step(const Work& work) {
  const auto* const kernel = dynamic_cast<const Elementwise*>(work.kernel);
  return kernel == nullptr ? std::nullopt : kernel->small_step(*work.args);
}

std::span<const KernelEntry> elementwise_kernels() { return kElementwise; }

}  // namespace arignote::device
