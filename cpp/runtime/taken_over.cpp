#include "runtime/taken_over.hpp"

#include <algorithm>

namespace arignote {
namespace {

// The buffer whose memory another one lies in.
int root_of(const Plan& plan, int buffer) {
  while (plan.parent(buffer) != kNone) buffer = plan.parent(buffer);
  return buffer;
}

std::vector<int> roots_of(const Plan& plan, std::span<const int> buffers) {
  std::vector<int> roots;
  for (const int buffer : buffers) roots.push_back(root_of(plan, buffer));
  return roots;
}

bool meet(std::span<const int> a, std::span<const int> b) {
  return std::ranges::find_first_of(a, b) != a.end();
}

// Whether a step may fail that stands behind one that writes a state. Products may be queued there:
// what they make is no state.
bool may_fail_behind(const Step& step) {
  if (step.body != nullptr) return std::ranges::any_of(step.body->plan.steps, may_fail_behind);
  return step.spec.kernel != "dot" && may_fail(step);
}

// Whether a step, and what it reads and writes, is as it would be directly behind an earlier one.
bool can_move(const Plan& plan, int step, int to) {
  const std::vector<int> reads = roots_of(plan, plan.step(step).inputs);
  const std::vector<int> writes = roots_of(plan, plan.step(step).outputs);
  for (int id = to + 1; id < step; ++id) {
    const Step& between = plan.step(id);
    if (may_fail_behind(between)) return false;
    std::vector<int> used = between.inputs;
    for (const Guard& guard : between.guards) used.push_back(guard.buffer);
    const std::vector<int> made = roots_of(plan, between.outputs);
    if (meet(roots_of(plan, used), writes) || meet(made, writes) || meet(made, reads)) return false;
  }
  return true;
}

// Whether a buffer begins where the memory does that it lies in.
bool begins_at_root(const Plan& plan, int buffer) {
  for (; plan.parent(buffer) != kNone; buffer = plan.parent(buffer)) {
    const BufferSpec& spec = plan.buffer(buffer);
    if (spec.kind != BufferKind::kView) continue;
    const Dim& offset = plan.dims[spec.offset];
    if (offset.op != DimOp::kConst || offset.a != 0) return false;
  }
  return true;
}

bool runs_plainly(const Step& step, StepKind kind) {
  return step.kind == kind && step.on_device && step.guards.empty();
}

struct Reading {
  int step = kNone;
  int operand = kNone;
};

class Finder {
 public:
  Finder(const Program& program, const Segment& segment, std::span<const Layout> layouts,
         std::span<const std::unique_ptr<Kernel>> kernels)
      : plan_(program.plan),
        program_(program),
        segment_(segment),
        layouts_(layouts),
        kernels_(kernels) {}

  // The step that `by` takes over for what it reads of an output; kNone if there is none.
  int taken_for(int by, std::size_t output) const {
    const int buffer = plan_.step(by).outputs[output];
    const auto [id, operand] = only_reading(buffer);
    if (id <= by || id >= segment_.end || !begins_at_root(plan_, operand)) return kNone;
    const Step& step = plan_.step(id);
    const std::vector<int> writes = roots_of(plan_, step.outputs);
    if (!runs_plainly(step, StepKind::kKernel) || !can_move(plan_, id, by) ||
        std::ranges::find(writes, buffer) != writes.end()) {
      return kNone;
    }
    // What else it reads of them is not there before all parts are made.
    const auto is_of_it = [&](int input) { return writer_of(input) == by; };
    if (std::ranges::count_if(step.inputs, is_of_it) != 1) return kNone;
    PartReader reader;
    reader.spec = &step.spec;
    reader.inputs = layouts_of(step.inputs);
    reader.outputs = layouts_of(step.outputs);
    const auto input = std::ranges::find(step.inputs, operand);
    reader.input = static_cast<std::size_t>(input - step.inputs.begin());
    for (const int other : plan_.step(by).inputs) {
      const bool is_written = std::ranges::find(writes, root_of(plan_, other)) != writes.end();
      if (is_written && !begins_at_root(plan_, other)) return kNone;
      reader.writes.push_back(is_written);
    }
    return kernels_[by - segment_.begin]->take_over(output, reader) ? id : kNone;
  }

 private:
  // The step that alone reads a buffer, itself or a window on it; kNone if there are several.
  Reading only_reading(int buffer) const {
    Reading found;
    for (int id = 0; id < plan_.n_buffers(); ++id) {
      const BufferSpec& spec = plan_.buffer(id);
      if (id != buffer && root_of(plan_, id) != buffer) continue;
      if (id != buffer && spec.kind != BufferKind::kView) return {};
      for (const int step : program_.schedule.readers[id]) {
        if (found.step != kNone) return {};
        found = {step, id};
      }
    }
    return found;
  }
  int writer_of(int buffer) const { return program_.schedule.writer[root_of(plan_, buffer)]; }
  std::vector<Layout> layouts_of(std::span<const int> buffers) const {
    std::vector<Layout> found;
    for (const int buffer : buffers) found.push_back(layouts_[buffer]);
    return found;
  }

  const Plan& plan_;
  const Program& program_;
  const Segment& segment_;
  std::span<const Layout> layouts_;
  std::span<const std::unique_ptr<Kernel>> kernels_;
};

}  // namespace

std::vector<TakenOver> find_taken_over(const Program& program, const Segment& segment,
                                       std::span<const Layout> layouts,
                                       std::span<const std::unique_ptr<Kernel>> kernels) {
  std::vector<TakenOver> found;
  const Finder finder(program, segment, layouts, kernels);
  for (int id = segment.begin; id < segment.end; ++id) {
    const Step& step = program.plan.step(id);
    if (!runs_plainly(step, StepKind::kByRows)) continue;
    for (std::size_t output = 0; output < step.outputs.size(); ++output) {
      const int taken = finder.taken_for(id, output);
      if (taken != kNone) found.push_back({taken, id, step.outputs[output]});
    }
  }
  return found;
}

}  // namespace arignote
