#include "runtime/turn_windows.hpp"

#include <algorithm>
#include <optional>

namespace arignote {
namespace {

// To copy a larger window takes longer than to queue a turn's work anew.
constexpr std::size_t kMostCopiedBytes = 16 << 20;

std::uint64_t address(const void* data) { return reinterpret_cast<std::uint64_t>(data); }

// Bytes from the first element to the end of the last one, if none lies before that.
std::optional<std::size_t> reach_of(const Layout& layout) {
  auto reach = static_cast<std::int64_t>(size_of(layout.dtype));
  for (int axis = 0; axis < layout.ndim; ++axis) {
    if (layout.strides[axis] < 0) return std::nullopt;
    reach += (layout.shape[axis] - 1) * layout.strides[axis];
  }
  return static_cast<std::size_t>(reach);
}

}  // namespace

bool TurnWindows::plan(const std::vector<bool>& varies) {
  const Plan& plan = context_.program().plan;
  window_of_.assign(plan.buffers.size(), kNone);
  for (int id = 0; id < plan.n_buffers(); ++id) {
    const BufferSpec& spec = plan.buffer(id);
    if (!spec.is_window()) continue;
    if (spec.kind == BufferKind::kView && spec.on_device && varies[spec.offset]) {
      if (!plan.buffer(spec.base).is_source()) return false;
      window_of_[id] = number_for(id);
    } else if (spec.kind == BufferKind::kView || context_.layout(spec.base).contiguous()) {
      window_of_[id] = window_of_[spec.base];
    }
  }
  for (int number = 0; number < std::ssize(windows_); ++number) {
    windows_[number].is_copied = !can_stay(number);
    if (windows_[number].is_copied && !can_be_copied(number)) return false;
  }
  return true;
}

// Windows on the same elements share a copy.
int TurnWindows::number_for(int view) {
  const Plan& plan = context_.program().plan;
  const BufferSpec& spec = plan.buffer(view);
  const std::size_t bytes = bytes_of(context_.layout(view));
  const auto found = std::ranges::find_if(windows_, [&](const Window& other) {
    const BufferSpec& shown = plan.buffer(other.view);
    return shown.base == spec.base && shown.offset == spec.offset && other.bytes == bytes;
  });
  const auto number = static_cast<int>(found - windows_.begin());
  if (found == windows_.end()) {
    const std::byte* const base = context_.operand(spec.base).data;
    windows_.push_back({.view = view, .bytes = bytes, .base = base});
  }
  return number;
}

// Whether all that read it find it. As in calls, no step reads a variable behind one that writes
// it.
bool TurnWindows::can_stay(int number) const {
  const Program& program = context_.program();
  for (int id = 0; id < program.plan.n_buffers(); ++id) {
    if (window_of_[id] != number) continue;
    const auto& readers = program.schedule.readers[id];
    if (!std::ranges::all_of(readers, [&](int step) { return finds(step, id); })) return false;
  }
  return true;
}

bool TurnWindows::finds(int step, int buffer) const {
  const Plan& plan = context_.program().plan;
  if (step == plan.n_steps()) return false;  // a new value, which is copied at the end
  const Kernel* const kernel = context_.kernel(step);
  const std::vector<int>& inputs = plan.step(step).inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == buffer && kernel != nullptr && !kernel->reads_windows(i)) return false;
  }
  return true;
}

// Its elements must have no gaps, in whatever order of the axes. A window on the copy must not
// reach out of it: only one that shows it whole is sure not to.
bool TurnWindows::can_be_copied(int number) const {
  const Plan& plan = context_.program().plan;
  const std::size_t bytes = windows_[number].bytes;
  if (bytes == 0 || bytes > kMostCopiedBytes) return false;
  for (int id = 0; id < plan.n_buffers(); ++id) {
    if (window_of_[id] != number) continue;
    const int base = plan.buffer(id).base;
    const Layout& layout = context_.layout(id);
    const bool fits =
        plan.buffer(base).is_source()
            ? reach_of(layout) == bytes
            : context_.frame_.offset(id) == 0 && layout.size() <= context_.layout(base).size();
    if (!fits) return false;
  }
  return true;
}

void TurnWindows::clear() {
  for (Window& window : windows_) window.offsets.clear();
}

void TurnWindows::add_turn() {
  for (Window& window : windows_) window.offsets.push_back(context_.frame_.offset(window.view));
}

Status TurnWindows::send(Session& session) const {
  for (const Window& window : windows_) {
    const Status status = session.upload(reinterpret_cast<const std::byte*>(window.offsets.data()),
                                         reinterpret_cast<std::byte*>(window.device_offsets),
                                         window.offsets.size() * sizeof(std::int64_t));
    if (!status.ok()) return status;
  }
  return {};
}

bool TurnWindows::fit() {
  bool fits = true;
  for (Window& window : windows_) {
    std::size_t item = window.item;
    if (window.is_copied) item = common(item, address(window.base) | window.bytes);
    for (const std::int64_t offset : window.offsets) {
      item = common(item, static_cast<std::uint64_t>(offset));
    }
    fits = fits && item == window.item;
    window.item = item;
  }
  return fits;
}

void TurnWindows::place(const std::byte* memory, const std::int64_t* turn) {
  const Plan& plan = context_.program().plan;
  for (int id = 0; id < plan.n_buffers(); ++id) {
    if (window_of_[id] == kNone || !plan.buffer(plan.buffer(id).base).is_source()) continue;
    const Window& window = windows_[window_of_[id]];
    const int source = context_.source_root(plan.buffer(plan.buffer(id).base));
    context_.staged_[id] = window.is_copied
                               ? Context::Place{context_.turns_root(), window.copy - memory}
                               : Context::Place{source, 0};
  }
  for (int step = 0; step < plan.n_steps(); ++step) {
    const std::vector<int>& inputs = plan.step(step).inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const int number = window_of_[inputs[i]];
      if (number == kNone || windows_[number].is_copied) continue;
      std::vector<WindowOffsets>& own = inputs_[step];
      own.resize(inputs.size());
      own[i] = {.by_turn = windows_[number].device_offsets, .item = windows_[number].item};
      context_.steps_[step].args.turn = turn;
      context_.steps_[step].args.windows = own;
    }
  }
}

void TurnWindows::append_copies(std::vector<TurnCopy>& copies) const {
  for (const Window& window : windows_) {
    if (!window.is_copied) continue;
    copies.push_back({.to = window.copy,
                      .from = window.base,
                      .bytes = window.bytes,
                      .from_offsets = window.device_offsets,
                      .item = window.item});
  }
}

void TurnWindows::restore() {
  context_.staged_.clear();
  for (const auto& [step, own] : inputs_) {
    context_.steps_[step].args.turn = nullptr;
    context_.steps_[step].args.windows = {};
  }
}

}  // namespace arignote
