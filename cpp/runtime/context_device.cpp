// The part of a context that its device has in it.
#include <algorithm>
#include <new>

#include "runtime/context.hpp"

namespace arignote {
void Context::open_device(Session* outer) {
  if (outer == nullptr) demand(program_.backend->open(own_session_));
  session_ = outer == nullptr ? own_session_.get() : outer;
  for (BoundStep& step : steps_) step.args.session = session_;
  for (int i = 0; i < n_segments(); ++i) device_arenas_.emplace_back(program_.backend);
  const auto is_scalar_there = [](const BufferSpec& spec) {
    return spec.kind == BufferKind::kScalar && spec.on_device;
  };
  if (std::ranges::none_of(program_.plan.buffers, is_scalar_there)) return;
  device_scalars_ = DeviceMemory(program_.backend);
  const auto bytes = static_cast<std::size_t>(Frame::scalar_offset(program_.plan.n_buffers()));
  if (!device_scalars_.reserve(bytes)) throw std::bad_alloc();
  roots_[scalar_root(true)] = device_scalars_.data();
}

// The room that there was is lost if there is not enough, and with it what was bound to it.
Status Context::load_on_device(int number, const Binding& binding) {
  const Segment& segment = program_.schedule.segments[number];
  DeviceMemory& arena = device_arenas_[number];
  const bool has_room = arena.reserve(binding.arena(true).bytes);
  roots_[arena_root(number, true)] = arena.data();
  if (!has_room) {
    caches_[number] = {};
    return Status::out_of_memory(largest(segment, binding, true));
  }
  for (int id = segment.begin; id < segment.end; ++id) {
    Kernel* const kernel = binding.kernels()[id - segment.begin].get();
    if (!steps_[id].on_device || kernel == nullptr) continue;
    if (const Status status = kernel->enter(*session_); !status.ok()) return status;
  }
  return {};
}

// All at once, if any has changed.
Status Context::upload_scalars() {
  if (device_scalars_.data() == nullptr) return {};
  const auto bytes = static_cast<std::size_t>(Frame::scalar_offset(program_.plan.n_buffers()));
  const std::byte* const scalars = frame_.scalars();
  if (std::equal(uploaded_.begin(), uploaded_.end(), scalars, scalars + bytes)) return {};
  uploaded_.clear();
  if (const Status status = session_->upload(scalars, device_scalars_.data(), bytes);
      !status.ok()) {
    return status;
  }
  uploaded_.assign(scalars, scalars + bytes);
  return {};
}

std::span<const Work> Context::behind(int id, int end) {
  std::size_t count = 0;
  if (!steps_[id].on_device) end = id;
  for (++id; id < end && count < behind_.size(); ++id) {
    const BoundStep& step = steps_[id];
    const bool is_next = step.on_device && step.kernel != nullptr && step.guards.empty();
    if (!is_next || !wanted(step)) break;
    behind_[count++] = {step.kernel, &step.args};
  }
  return std::span(behind_).first(count);
}

// What the device is still at may fail, so a step on the host waits before it writes a state. The
// device's own steps write nothing behind one that has failed.
Status Context::enter_step(int id) {
  if (!own_session_) {
    session_->within(id, first_row_);
    return {};
  }
  if (steps_[id].on_device) {
    session_->at(id);
    return {};
  }
  return id < program_.schedule.first_write ? Status{} : wait_for_device();
}

Status Context::wait_for_device() {
  int step = kNone;
  const Status status = session_->synchronise(step);
  if (!status.ok() && step != kNone) step_ = step;
  return status;
}

Status Context::commit_on_device() {
  if (const Status status = wait_for_device(); !status.ok()) return status;
  for (const Copy& copy : copies_) {
    if (!is_on_device(copy.state)) {
      copy.transfer.run(copy.target, pointer(copy.value));
      continue;
    }
    const std::size_t bytes = bytes_of(layout(copy.value));
    const Status status = session_->copy(pointer(copy.value), copy.target, bytes);
    if (!status.ok()) return status;
  }
  return copies_.empty() ? Status{} : wait_for_device();
}

// Nothing is at work on the device when a call is over, not even one that has failed.
Status Context::leave_device(Status status) {
  if (status.ok()) return status;
  int step = kNone;
  const Status late = session_->synchronise(step);
  // A driver that has failed for good has no memory to give either.
  if (status.code == Code::kOutOfMemory && late.code == Code::kDeviceError) return late;
  // What the device met first is why the rest of the call has nothing to work on.
  if (late.ok() || step == kNone || step >= step_) return status;
  step_ = step;
  return late;
}

Status Context::download(const std::byte* from, std::byte* to, std::size_t bytes) const {
  return session_->download(from, to, bytes);
}

}  // namespace arignote
