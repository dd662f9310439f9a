#include "runtime/binding.hpp"

#include <algorithm>
#include <atomic>

#include "core/buffer.hpp"
#include "runtime/by_rows.hpp"

namespace arignote {

void make_contiguous(Layout& layout) {
  auto stride = static_cast<std::int64_t>(size_of(layout.dtype));
  for (int axis = layout.ndim - 1; axis >= 0; --axis) {
    layout.strides[axis] = stride;
    stride *= std::max<std::int64_t>(layout.shape[axis], 1);
  }
}

std::size_t bytes_of(const Layout& layout) {
  return static_cast<std::size_t>(layout.size()) * size_of(layout.dtype);
}

std::unique_ptr<Binding> Binding::make(const Program& program, int segment,
                                       std::span<const Layout> layouts,
                                       std::span<const std::int64_t> key, Session* session,
                                       bool is_observed, Status& status) {
  static std::atomic<std::int64_t> serials{0};
  auto binding = std::make_unique<Binding>();
  count_allocation();
  binding->serial_ = serials.fetch_add(1, std::memory_order_relaxed) + 1;
  binding->key_.assign(key.begin(), key.end());
  const Segment& part = program.schedule.segments[segment];
  for (int step = part.begin; step < part.end; ++step) {
    binding->kernels_.emplace_back();
    status = binding->bind(program, step, layouts, session);
    if (!status.ok()) return nullptr;
  }
  if (session != nullptr && !is_observed) {
    binding->taken_over_ = find_taken_over(program, part, layouts, binding->kernels_);
  }
  for (int step = part.begin; step < part.end; ++step) {
    const auto& kernel = binding->kernels_[step - part.begin];
    if (kernel == nullptr) continue;
    // So far `bytes` are those of the workspace alone.
    std::size_t& bytes = binding->arenas_[program.plan.step(step).on_device ? 1 : 0].bytes;
    bytes = std::max(bytes, kernel->workspace_bytes());
    binding->cost_ += kernel->cost();
  }
  binding->left_rows_ = find_left_rows(program, part, binding->kernels_);
  binding->slots_.resize(part.slots.size());
  for (const bool on_device : {false, true}) binding->place(program, part, layouts, on_device);
  return binding;
}

Status Binding::bind(const Program& program, int id, std::span<const Layout> layouts,
                     Session* session) {
  const Step& step = program.plan.step(id);
  if (step.kind == StepKind::kHost) return {};
  std::vector<Layout> inputs, outputs;
  for (const int buffer : step.inputs) inputs.push_back(layouts[buffer]);
  for (const int buffer : step.outputs) outputs.push_back(layouts[buffer]);
  if (step.kind == StepKind::kReshape) {
    if (inputs[0].contiguous()) return {};
    outputs[0] = inputs[0];
    make_contiguous(outputs[0]);
  }
  Status status;
  auto kernel = step.kind == StepKind::kByRows ? make_by_rows(step.spec, *step.body, session)
                                               : step.kernel->make(step.spec, status);
  if (!kernel) return status.ok() ? Status::bad_plan("the kernel refuses the step") : status;
  count_allocation();
  kernels_.back() = std::move(kernel);
  return kernels_.back()->bind(inputs, outputs);
}

void Binding::place(const Program& program, const Segment& segment, std::span<const Layout> layouts,
                    bool on_device) {
  std::vector<Slot> slots;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < segment.slots.size(); ++i) {
    const int buffer = segment.slots[i];
    const BufferSpec& spec = program.plan.buffer(buffer);
    if (spec.on_device != on_device) continue;
    const Layout& layout = layouts[buffer];
    std::size_t bytes = bytes_of(layout);
    // An alias needs no memory of its own.
    if (spec.kind == BufferKind::kReshape && layouts[spec.base].contiguous()) bytes = 0;
    if (std::ranges::find(taken_over_, buffer, &TakenOver::buffer) != taken_over_.end()) bytes = 0;
    slots.push_back({.bytes = bytes, .lifetime = program.schedule.lifetimes[buffer]});
    numbers.push_back(i);
  }
  ArenaLayout& arena = arenas_[on_device ? 1 : 0];
  arena.workspace = lay_out(slots);
  arena.bytes = arena.workspace + align_up(arena.bytes);
  for (std::size_t i = 0; i < slots.size(); ++i) slots_[numbers[i]] = slots[i];
}

bool Binding::suits(std::span<const std::int64_t> key) const {
  return std::equal(key.begin(), key.end(), key_.begin(), key_.end());
}

Binding* BindingCache::find(std::span<const std::int64_t> key) {
  const auto found = std::find_if(bindings_.begin(), bindings_.end(),
                                  [&](const auto& binding) { return binding->suits(key); });
  if (found == bindings_.end()) return nullptr;
  std::rotate(bindings_.begin(), found, found + 1);
  return bindings_.front().get();
}

Binding* BindingCache::add(std::unique_ptr<Binding> binding) {
  if (bindings_.size() == kKept) bindings_.pop_back();
  bindings_.insert(bindings_.begin(), std::move(binding));
  return bindings_.front().get();
}

}  // namespace arignote
