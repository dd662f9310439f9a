#include "runtime/row_talents.hpp"

#include <algorithm>

#include "runtime/rows_ahead.hpp"

namespace arignote {
namespace {

bool is_read(const Program& body, int buffer) {
  return std::ranges::any_of(body.schedule.readers[buffer],
                             [&](int step) { return step < body.plan.n_steps(); });
}

}  // namespace

Talents find_talents(const Program& body, const Context& context, std::span<const std::int64_t> cut,
                     std::span<const std::int64_t> is_sum) {
  Talents found;
  const Plan& plan = body.plan;
  for (int id = 0; id < plan.n_steps(); ++id) {
    const Step& step = plan.step(id);
    const Kernel* kernel = context.kernel(id);
    if (kernel == nullptr) continue;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const BufferSpec& source = plan.buffer(step.inputs[i]);
      const std::size_t bytes = kernel->prepared_bytes(i);
      const bool is_whole = source.kind == BufferKind::kInput && cut[source.number] < 0;
      if (bytes == 0 || !is_whole) continue;
      const int rows = i == 0 ? -1 : rows_read_by(body, step, cut);
      found.prepared.push_back({id, i, source.number, rows, bytes});
    }
    const auto output = std::ranges::find(plan.outputs, step.outputs[0]);
    const auto number = static_cast<std::size_t>(output - plan.outputs.begin());
    if (output == plan.outputs.end() || is_sum[number] == 0 || is_read(body, step.outputs[0])) {
      continue;
    }
    const SumForm form = kernel->sum_form();
    if (form.bytes != 0 || kernel->adds_to_output()) found.adders.push_back({id, number, form});
  }
  return found;
}

bool has_talents(const Talents& talents, const Context& context) {
  const auto prepares = [&](const Prepared& part) {
    return context.kernel(part.step)->prepared_bytes(part.input) == part.bytes;
  };
  const auto adds = [&](const Adder& adder) {
    const Kernel* kernel = context.kernel(adder.step);
    return kernel->sum_form().bytes == adder.form.bytes &&
           (adder.has_own_form() || kernel->adds_to_output());
  };
  return std::ranges::all_of(talents.prepared, prepares) &&
         std::ranges::all_of(talents.adders, adds);
}

}  // namespace arignote
