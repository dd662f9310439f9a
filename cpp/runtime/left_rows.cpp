#include "runtime/left_rows.hpp"

#include <algorithm>
#include <limits>

namespace arignote {
namespace {

std::size_t position_of(int buffer, const std::vector<int>& buffers) {
  return static_cast<std::size_t>(std::ranges::find(buffers, buffer) - buffers.begin());
}

}  // namespace

std::optional<std::size_t> output_to_leave(const Program& program, int buffer) {
  const Plan& plan = program.plan;
  const auto is_base = [&](const BufferSpec& other) { return other.base == buffer; };
  if (plan.buffer(buffer).kind != BufferKind::kTemp ||
      program.schedule.readers[buffer].size() != 1 || std::ranges::any_of(plan.buffers, is_base)) {
    return std::nullopt;
  }
  const std::size_t output =
      position_of(buffer, plan.step(program.schedule.writer[buffer]).outputs);
  constexpr std::size_t kBits = std::numeric_limits<decltype(RunArgs::left)>::digits;
  return output < kBits ? std::optional(output) : std::nullopt;
}

std::vector<LeftRows> find_left_rows(const Program& program, const Segment& segment,
                                     std::span<const std::unique_ptr<Kernel>> kernels) {
  std::vector<LeftRows> found;
  const Plan& plan = program.plan;
  const auto is_here = [&](int step) { return step >= segment.begin && step < segment.end; };
  for (const int buffer : segment.slots) {
    const std::vector<int>& readers = program.schedule.readers[buffer];
    LeftRows rows{.writer = program.schedule.writer[buffer]};
    if (readers.size() != 1 || !is_here(readers[0]) || !is_here(rows.writer)) continue;
    rows.reader = readers[0];
    Kernel* const writer = kernels[rows.writer - segment.begin].get();
    const Kernel* const reader = kernels[rows.reader - segment.begin].get();
    const Step& step = plan.step(rows.reader);
    rows.input = position_of(buffer, step.inputs);
    const bool is_taken = std::ranges::find(found, rows.reader, &LeftRows::reader) != found.end();
    if (writer == nullptr || reader == nullptr || is_taken || rows.input == step.inputs.size() ||
        step.guards != plan.step(rows.writer).guards || !reader->takes_rows(rows.input)) {
      continue;
    }
    const auto output = output_to_leave(program, buffer);
    if (!output) continue;
    rows.output = *output;
    rows.source = writer->row_source(*output);
    if (rows.source != nullptr) found.push_back(rows);
  }
  left_output_counter.fetch_add(std::ssize(found), std::memory_order_relaxed);
  return found;
}

}  // namespace arignote
