#include "runtime/turns.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/buffer.hpp"
#include "core/memory_range.hpp"

namespace arignote {
namespace {

// Tables, stacks and results are for so many turns at most, and not larger than that.
constexpr std::int64_t kMostTurns = 1024;
constexpr std::int64_t kMostBytes = 256 << 20;
// More memory than this is given back between two loops.
constexpr std::size_t kMostKeptBytes = 1 << 20;

std::uint64_t address(const void* data) { return reinterpret_cast<std::uint64_t>(data); }

// The registers that may have another value in each turn.
std::vector<bool> varying(const Plan& plan, std::span<const TurnStack> stacks) {
  std::vector<bool> varies(plan.dims.size());
  for (std::size_t reg = 0; reg < plan.dims.size(); ++reg) {
    const Dim& dim = plan.dims[reg];
    if (dim.op == DimOp::kValue) {
      const BufferSpec& source = plan.buffer(static_cast<int>(dim.a));
      varies[reg] = std::ranges::find(stacks, source.number, &TurnStack::input) != stacks.end();
    } else if (!is_source(dim.op)) {
      varies[reg] = varies[dim.a] || (is_binary(dim.op) && varies[dim.b]);
    }
  }
  return varies;
}

}  // namespace

Turns::Turns(Context& context, std::span<const TurnStack> stacks,
             std::span<const TurnResults> results, std::int64_t count)
    : context_(context), stacks_(stacks), results_(results), windows_(context), count_(count) {
  suits_ = plan();
}

Turns::~Turns() {
  if (capacity_ > 0) restore();
}

bool Turns::pause() {
  if (!suits_ || !recording_ || memory_.size() > kMostKeptBytes) return false;
  restore();
  return true;
}

bool Turns::resume(std::span<const TurnStack> stacks, std::span<const TurnResults> results,
                   std::int64_t count) {
  const Turns next(context_, stacks, results, count);
  if (!next.suits_ || !is_like(next) || capacity_ < next.wanted_capacity()) return false;
  stacks_ = stacks;
  results_ = results;
  count_ = count;
  for (std::size_t i = 0; i < uploads_.size(); ++i) uploads_[i].from = next.uploads_[i].from;
  return true;
}

// Whether a recording for the one would also be one for the other.
bool Turns::is_like(const Turns& other) const {
  const auto alike = [](const Upload& a, const Upload& b) { return a.is_like(b); };
  return kernels_ == other.kernels_ && roots_ == other.roots_ && key_ == other.key_ &&
         dim_values_ == other.dim_values_ && varies_ == other.varies_ &&
         std::ranges::equal(uploads_, other.uploads_, alike) &&
         std::ranges::equal(result_bytes_, other.result_bytes_);
}

bool Turns::suit(const Program& program) {
  if (program.backend == nullptr || program.schedule.segments.size() != 1) return false;
  const Plan& plan = program.plan;
  const auto fits = [&](const Step& step) {
    const bool is_upload = step.spec.kernel == "to_device";
    const BufferKind source =
        step.inputs.empty() ? BufferKind::kTemp : plan.buffer(step.inputs[0]).kind;
    return step.on_device && step.guards.empty() && step.spec.kernel != "ifelse" &&
           (!is_upload || source == BufferKind::kInput || source == BufferKind::kState);
  };
  const auto is_result = [&](int output) {
    const int writer = program.schedule.writer[output];
    return writer != kNone && plan.step(writer).spec.kernel == "to_host";
  };
  return std::ranges::all_of(plan.steps, fits) && std::ranges::all_of(plan.outputs, is_result) &&
         std::ranges::all_of(plan.updates, [&](const StateUpdate& update) {
           return plan.buffer(update.state).on_device;
         });
}

// What stays the same in all turns is what it was in the last one.
bool Turns::plan() {
  const Plan& plan = context_.program().plan;
  kernels_ = context_.bindings_[0]->serial();
  // Such steps take far longer than their launches, and one may stand in all turns while what it
  // has taken over does not.
  if (!context_.bindings_[0]->taken_over().empty()) return false;
  for (int id = 0; id < plan.n_buffers(); ++id) {
    if (plan.buffer(id).is_source() && plan.buffer(id).on_device) {
      roots_.push_back(context_.roots_[context_.source_root(plan.buffer(id))]);
    }
  }
  roots_.push_back(context_.roots_[context_.arena_root(0, true)]);
  context_.frame_.append_key(context_.program().schedule.segments[0], key_);
  dim_values_ = context_.dim_values_;
  for (const Context::Copy& copy : context_.copies_) {
    if (!same_shape(context_.layout(copy.state), context_.layout(copy.value))) return false;
  }
  varies_ = varying(plan, stacks_);
  scalars_may_vary_ = std::ranges::any_of(plan.buffers, [&](const BufferSpec& spec) {
    return spec.kind == BufferKind::kScalar && spec.on_device && varies_[spec.value];
  });
  device_results_.resize(results_.size());
  for (const TurnResults& result : results_) result_bytes_.push_back(result.bytes);
  uploads_.resize(plan.steps.size());
  for (int id = 0; id < plan.n_steps(); ++id) {
    const Step& step = plan.step(id);
    if (step.spec.kernel == "to_device" && !plan_upload(id)) return false;
    if (step.spec.kernel == "to_host" && !context_.layout(step.inputs[0]).contiguous()) {
      return false;
    }
  }
  return windows_.plan(varies_);
}

bool Turns::plan_upload(int step) {
  const int buffer = context_.program().plan.step(step).inputs[0];
  const BufferSpec& spec = context_.program().plan.buffer(buffer);
  const Operand operand = context_.operand(buffer);
  if (!operand.layout->contiguous()) return false;
  Upload upload{.from = operand.data, .bytes = bytes_of(*operand.layout)};
  if (spec.kind == BufferKind::kInput) {
    const auto stack = std::ranges::find(stacks_, spec.number, &TurnStack::input);
    if (stack != stacks_.end()) {
      upload.from = stack->data;
      upload.is_stack = true;
      if (stack->stride != static_cast<std::int64_t>(upload.bytes)) return false;
    }
  }
  uploads_[step] = upload;
  return true;
}

std::int64_t Turns::run(std::int64_t first, std::int64_t count, Status& status) {
  if (!suits_) return 0;
  suits_ = false;
  std::int64_t done = 0;
  const std::int64_t ready = allocate() ? tabulate(first, std::min(count, capacity_)) : 0;
  if (ready > 0 && record() && send(first, ready).ok()) {
    Status queued;
    for (std::int64_t turn = 0; turn < ready && queued.ok(); ++turn) {
      queued = context_.session_->replay(*recording_);
    }
    // Turns that have been queued are finished, if later ones cannot be.
    status = finish(first, ready, done);
    if (status.ok()) status = queued;
    suits_ = status.ok();
  }
  if (!suits_) restore();
  return done;
}

std::int64_t Turns::wanted_capacity() const {
  std::int64_t each = 0;
  for (const TurnResults& result : results_) each += result.bytes;
  for (const Upload& upload : uploads_) {
    if (upload.is_stack) each += static_cast<std::int64_t>(upload.bytes);
  }
  return std::min({count_, kMostTurns, kMostBytes / std::max<std::int64_t>(1, each)});
}

// Once; false if there is no memory.
bool Turns::allocate() {
  if (capacity_ > 0) return true;
  const Plan& plan = context_.program().plan;
  capacity_ = wanted_capacity();
  if (capacity_ == 0) return false;
  const auto turns = static_cast<std::size_t>(capacity_);
  const auto scalar_bytes = static_cast<std::size_t>(Frame::scalar_offset(plan.n_buffers()));

  std::size_t bytes = 0;
  std::vector<std::pair<std::byte**, std::size_t>> parts;
  const auto take = [&](auto*& place, std::size_t size) {
    parts.emplace_back(reinterpret_cast<std::byte**>(&place), bytes);
    bytes += align_up(size);
  };
  take(turn_, sizeof(std::int64_t));
  if (scalars_may_vary_) take(device_scalars_, turns * scalar_bytes);
  windows_.allocate(turns, take);
  for (Upload& upload : uploads_) take(upload.to, upload.bytes * (upload.is_stack ? turns : 1));
  for (std::size_t i = 0; i < results_.size(); ++i) {
    take(device_results_[i], turns * static_cast<std::size_t>(results_[i].bytes));
  }
  memory_ = DeviceMemory(context_.program().backend);
  if (!memory_.reserve(bytes)) return false;
  for (const auto& [place, offset] : parts) *place = memory_.data() + offset;
  context_.roots_[context_.turns_root()] = memory_.data();
  return true;
}

// Returns how many turns are like those before. Numbers that follow from where a window begins are
// mostly the same in all of them, such as how many rows it has.
std::int64_t Turns::tabulate(std::int64_t first, std::int64_t count) {
  const Segment& segment = context_.program().schedule.segments[0];
  scalars_.clear();
  windows_.clear();
  for (std::int64_t turn = 0; turn < count; ++turn) {
    for (const TurnStack& stack : stacks_) {
      context_.move(stack.input, stack.data + (first + turn) * stack.stride);
    }
    static_cast<void>(context_.take_values(segment));
    // What is wrong with a turn is found again when it is run as a call.
    if (!context_.frame_.settle(segment).ok() || !is_alike()) return turn;
    windows_.add_turn();
    if (!scalars_may_vary_) continue;
    const std::vector<std::byte>& before = context_.uploaded_;
    const std::byte* const scalars = context_.frame_.scalars();
    scalars_vary_ |= !std::equal(before.begin(), before.end(), scalars);
    scalars_.insert(scalars_.end(), scalars, scalars + before.size());
  }
  return count;
}

bool Turns::is_alike() {
  context_.key_.clear();
  context_.frame_.append_key(context_.program().schedule.segments[0], context_.key_);
  std::size_t value = 0;
  for (const Step& step : context_.program().plan.steps) {
    for (const int reg : step.dims) {
      if (context_.frame_.registers()[reg] != dim_values_[value++]) return false;
    }
  }
  return context_.key_ == key_;
}

// Again only if windows begin at other fractions of an item than those before, or numbers differ
// that were the same.
bool Turns::record() {
  const bool fits = windows_.fit() && brings_scalars_ == scalars_vary_;
  if (recording_ && fits) return true;
  recording_.reset();
  brings_scalars_ = scalars_vary_;
  windows_.place(memory_.data(), turn_);
  context_.place(0);
  context_.point(0);
  find_standing();
  Session& session = *context_.session_;
  // Nothing may throw until the recording has ended.
  copies_.reserve(windows_.count() + 1 + uploads_.size() + context_.copies_.size());
  if (!session.begin_recording().ok()) return false;
  const bool is_queued = queue_turn().ok();
  return session.end_recording(recording_).ok() && is_queued;
}

Status Turns::queue_turn() {
  Session& session = *context_.session_;
  const Plan& plan = context_.program().plan;
  session.at(0);
  copies_.clear();
  windows_.append_copies(copies_);
  if (scalars_vary_) {
    const std::int64_t bytes = Frame::scalar_offset(plan.n_buffers());
    copies_.push_back({.to = context_.device_scalars_.data(),
                       .from = device_scalars_,
                       .bytes = static_cast<std::size_t>(bytes),
                       .from_step = bytes,
                       .item = kMostItem});
  }
  // Whatever windows show may be written to by those that follow.
  if (const Status status = queue_copies(); !status.ok()) return status;
  for (int id = 0; id < plan.n_steps(); ++id) {
    if (standing_[id]) continue;
    session.at(id);
    if (const Status status = queue_step(id); !status.ok()) return status;
  }
  for (const Context::Copy& copy : context_.copies_) {
    const Status status = queue_copy({.to = context_.pointer(copy.state),
                                      .from = context_.pointer(copy.value),
                                      .bytes = bytes_of(context_.layout(copy.value))});
    if (!status.ok()) return status;
  }
  return session.end_turn(copies_, turn_);
}

// And those behind it that its kernel has done as well: leaves the last of them.
Status Turns::queue_step(int& id) {
  const Step& step = context_.program().plan.step(id);
  const Context::BoundStep& bound = context_.steps_[id];
  TurnCopy copy;
  if (step.spec.kernel == "to_device") {
    const Upload& upload = uploads_[id];
    copy = {.to = bound.args.outputs[0], .from = upload.to, .bytes = upload.bytes};
    if (upload.is_stack) copy.from_step = static_cast<std::int64_t>(upload.bytes);
  } else if (step.spec.kernel == "to_host") {
    const int output = context_.program().schedule.output_number[step.outputs[0]];
    copy = {.to = device_results_[output], .from = bound.args.inputs[0]};
    copy.bytes = static_cast<std::size_t>(results_[output].bytes);
    copy.to_step = results_[output].bytes;
  } else if (bound.kernel == nullptr) {
    return {};
  } else {
    if (const Status status = queue_copies(); !status.ok()) return status;
    std::size_t taken = 0;
    const int end = context_.program().plan.n_steps();
    const Status status = bound.kernel->run_with(bound.args, context_.behind(id, end), taken);
    id += static_cast<int>(taken);
    return status;
  }
  return queue_copy(copy);
}

// Of bytes whose steps, if any, are as long as they are. What steps is read or written by nobody
// else, so it is enough to look at the first turn.
Status Turns::queue_copy(const TurnCopy& copy) {
  const auto from = MemoryRange::of(copy.from, copy.bytes);
  const auto to = MemoryRange::of(copy.to, copy.bytes);
  const bool must_wait = std::ranges::any_of(copies_, [&](const TurnCopy& other) {
    const auto written = MemoryRange::of(other.to, other.bytes);
    return from.meets(written) || to.meets(written) ||
           to.meets(MemoryRange::of(other.from, other.bytes));
  });
  if (must_wait) {
    if (const Status status = queue_copies(); !status.ok()) return status;
  }
  copies_.push_back(copy);
  copies_.back().item = common(kMostItem, address(copy.to) | address(copy.from) | copy.bytes);
  return {};
}

Status Turns::queue_copies() {
  const Status status = context_.session_->copies_of_turn(copies_, turn_);
  copies_.clear();
  return status;
}

// Brings the tables and arguments of some turns to the device.
Status Turns::send(std::int64_t first, std::int64_t count) {
  Session& session = *context_.session_;
  Status status;
  const auto upload = [&](const void* from, void* to, std::size_t bytes) {
    if (!status.ok() || bytes == 0) return;
    status =
        session.upload(static_cast<const std::byte*>(from), static_cast<std::byte*>(to), bytes);
  };
  const std::int64_t none = 0;
  upload(&none, turn_, sizeof(none));
  if (scalars_vary_) upload(scalars_.data(), device_scalars_, scalars_.size());
  if (status.ok()) status = windows_.send(session);
  for (std::size_t step = 0; step < uploads_.size(); ++step) {
    const Upload& part = uploads_[step];
    if (standing_[step]) continue;
    const auto skipped = static_cast<std::size_t>(part.is_stack ? first : 0) * part.bytes;
    upload(part.from + skipped, part.to,
           part.bytes * static_cast<std::size_t>(part.is_stack ? count : 1));
  }
  return status;
}

Status Turns::finish(std::int64_t first, std::int64_t count, std::int64_t& done) {
  const Status status = context_.wait_for_device();
  if (status.code != Code::kIndexOutOfRange && !status.ok()) return status;
  Session& session = *context_.session_;
  const Status counted = session.download(reinterpret_cast<const std::byte*>(turn_),
                                          reinterpret_cast<std::byte*>(&done), sizeof(done));
  if (!status.ok() || !counted.ok()) return status.ok() ? counted : status;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const TurnResults& result = results_[i];
    if (result.bytes == 0) continue;
    const Status copied = session.download(device_results_[i], result.data + first * result.bytes,
                                           static_cast<std::size_t>(count * result.bytes));
    if (!copied.ok()) return copied;
  }
  return {};
}

// The next call lays everything out anew.
void Turns::restore() {
  windows_.restore();
  context_.uploaded_.clear();
  context_.settled_ = 0;
  context_.pointed_ = 0;
}

}  // namespace arignote
