// The steps of a loop's turns that are not run again.
#include <algorithm>

#include "core/memory_range.hpp"
#include "runtime/turns.hpp"

namespace arignote {

// Steps that come to the same in each turn need not run again where nothing else is written to what
// they have left in the call before, or where nobody reads it.
void Turns::find_standing() {
  const Plan& plan = context_.program().plan;
  standing_.assign(plan.steps.size(), false);
  for (int id = 0; id < plan.n_steps(); ++id) {
    const Step& step = plan.step(id);
    const auto stands = [&](int buffer) { return is_standing(buffer); };
    standing_[id] = step.spec.kernel == "to_device"
                        ? !uploads_[id].is_stack
                        : context_.steps_[id].kernel != nullptr && step.spec.kernel != "to_host" &&
                              std::ranges::all_of(step.inputs, stands);
  }
  std::vector<bool> is_read(plan.buffers.size(), false);
  const auto read = [&](int buffer) {
    for (; buffer != kNone; buffer = plan.parent(buffer)) is_read[buffer] = true;
  };
  for (const Context::Copy& copy : context_.copies_) read(copy.value);
  for (int id = plan.n_steps() - 1; id >= 0; --id) {
    const Step& step = plan.step(id);
    const auto is_read_later = [&](int buffer) { return is_read[buffer]; };
    standing_[id] =
        standing_[id] && (is_left_alone(id) || std::ranges::none_of(step.outputs, is_read_later));
    if (!standing_[id]) std::ranges::for_each(step.inputs, read);
  }
}

bool Turns::is_standing(int buffer) const {
  const Program& program = context_.program();
  const BufferSpec& spec = program.plan.buffer(buffer);
  const auto is_updated = [&](const StateUpdate& update) { return update.state == buffer; };
  switch (spec.kind) {
    case BufferKind::kConst: return true;
    case BufferKind::kState: return std::ranges::none_of(program.plan.updates, is_updated);
    case BufferKind::kScalar: return !(scalars_vary_ && varies_[spec.value]);
    case BufferKind::kTemp: {
      const int writer = program.schedule.writer[buffer];
      return writer != kNone && standing_[writer];
    }
    case BufferKind::kView: return !windows_.shows(buffer) && is_standing(spec.base);
    case BufferKind::kReshape:
      return context_.layout(spec.base).contiguous() && is_standing(spec.base);
    default: return false;
  }
}

// Whether all results of a step lie where no other step writes, nor works.
bool Turns::is_left_alone(int id) const {
  const Plan& plan = context_.program().plan;
  const auto range_of = [](const Operand& operand) {
    return MemoryRange::of(operand.data, bytes_of(*operand.layout));
  };
  for (const int output : plan.step(id).outputs) {
    if (context_.places_[output].root != context_.arena_root(0, true)) return false;
    const MemoryRange result = range_of(context_.operand(output));
    for (int other = 0; other < plan.n_steps(); ++other) {
      const Context::BoundStep& bound = context_.steps_[other];
      if (other == id || bound.kernel == nullptr) continue;
      const auto room = MemoryRange::of(bound.args.workspace, bound.kernel->workspace_bytes());
      if (result.meets(room)) return false;
      for (const int written : plan.step(other).outputs) {
        if (result.meets(range_of(context_.operand(written)))) return false;
      }
    }
  }
  return true;
}

}  // namespace arignote
