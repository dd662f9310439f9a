#include "runtime/context.hpp"

#include <algorithm>
#include <exception>
#include <new>

namespace arignote {
namespace {

// The status of a kernel. A buffer that it names is one of the plan it runs itself, not of this
// one.
Status of_kernel(Status status) {
  if (status.code == Code::kOutOfMemory) status.position = kNone;
  return status;
}

}  // namespace

Context::Context(const Program& program, Session* outer)
    : program_(program),
      frame_(program),
      first_output_(static_cast<int>(program.plan.input_buffers.size() +
                                     program.plan.state_buffers.size() +
                                     program.plan.constants.size())) {
  const Plan& plan = program.plan;
  const std::size_t segments = program.schedule.segments.size();
  count_allocation();
  caches_.resize(segments);
  roots_.resize(static_cast<std::size_t>(turns_root() + 1));
  places_.resize(plan.buffers.size());
  bindings_.resize(segments);
  arenas_.resize(segments);
  for (std::size_t i = 0; i < plan.constants.size(); ++i) {
    const BufferSpec& spec = plan.buffer(plan.constant_buffers[i]);
    // Kernels write to outputs only, and no constant can be one.
    roots_[source_root(spec)] = spec.on_device ? program.constants[i].data()
                                               : const_cast<std::byte*>(plan.constants[i].data);
  }
  roots_[scalar_root(false)] = frame_.scalars();
  for (int id = 0; id < plan.n_buffers(); ++id) {
    if (plan.buffer(id).is_source()) places_[id] = {source_root(plan.buffer(id)), 0};
  }
  for (const StateUpdate& update : plan.updates) {
    const BufferSpec& value = plan.buffer(update.value);
    if (value.storage != update.state) {
      copies_.push_back({.state = update.state,
                         .value = update.value,
                         .transfer = Transfer(Update::kSet, value.dtype)});
    }
  }
  make_steps();
  if (program.backend != nullptr) open_device(outer);
}

void Context::make_steps() {
  const Plan& plan = program_.plan;
  std::size_t n_dims = 0;
  for (const Segment& segment : program_.schedule.segments) {
    operand_begin_.push_back(operand_buffers_.size());
    for (int id = segment.begin; id < segment.end; ++id) {
      const Step& step = plan.step(id);
      operand_buffers_.insert(operand_buffers_.end(), step.inputs.begin(), step.inputs.end());
      operand_buffers_.insert(operand_buffers_.end(), step.outputs.begin(), step.outputs.end());
      for (const Guard& guard : step.guards) operand_buffers_.push_back(guard.buffer);
      operand_steps_.resize(operand_buffers_.size(), id);
      n_dims += step.dims.size();
    }
  }
  operand_begin_.push_back(operand_buffers_.size());
  operands_.resize(operand_buffers_.size());
  moving_.resize(operand_buffers_.size());
  moving_end_.resize(program_.schedule.segments.size());
  dim_values_.resize(n_dims);

  std::span<std::byte* const> operands(operands_);
  std::span<const std::int64_t> dims(dim_values_);
  const auto take = [](auto& rest, std::size_t count) {
    const auto taken = rest.first(count);
    rest = rest.subspan(count);
    return taken;
  };
  for (const Step& step : plan.steps) {
    BoundStep& bound = steps_.emplace_back();
    bound.is_host = step.kind == StepKind::kHost;
    bound.on_device = step.on_device;
    bound.args.inputs = take(operands, step.inputs.size());
    bound.args.outputs = take(operands, step.outputs.size());
    bound.guards = take(operands, step.guards.size());
    bound.expected = &step.guards;
    bound.args.dims = take(dims, step.dims.size());
  }
}

// --- roots

int Context::source_root(const BufferSpec& spec) const {
  const Plan& plan = program_.plan;
  int root = spec.number;
  if (spec.kind != BufferKind::kInput) root += static_cast<int>(plan.input_buffers.size());
  if (spec.kind == BufferKind::kConst) root += static_cast<int>(plan.state_buffers.size());
  return root;
}

int Context::scalar_root(bool on_device) const {
  const int first = output_root(static_cast<int>(program_.plan.outputs.size()));
  return on_device ? first + 1 + n_segments() : first;
}

int Context::arena_root(int segment, bool on_device) const {
  return scalar_root(on_device) + 1 + segment;
}

// --- one call

void Context::take(std::span<const Source> sources) {
  const std::size_t n_inputs = program_.plan.input_buffers.size();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (roots_[i] == sources[i].data) continue;
    roots_[i] = sources[i].data;
    if (i >= n_inputs) pointed_ = 0;
  }
  if (frame_.take(sources)) settled_ = 0;
}

Status Context::run(Host& host, Observer* observer) {
  if (!own_session_) [[likely]]
    return run_segments(host, observer);
  return leave_device(run_segments(host, observer));
}

Status Context::run_segments(Host& host, Observer* observer) {
  step_ = kNone;
  if (session_ != nullptr && is_observed_ != (observer != nullptr)) {
    is_observed_ = !is_observed_;
    settled_ = 0;
  }
  for (int number = 0; number < n_segments(); ++number) {
    const Segment& segment = program_.schedule.segments[number];
    if (take_values(segment) || number >= settled_) {
      if (const Status status = settle(number); !status.ok()) return status;
    }
    for (const int output : segment.outputs) {
      std::byte* const data = host.output(output, frame_.layouts()[program_.plan.outputs[output]]);
      if (data == nullptr) return Status::out_of_memory(program_.plan.outputs[output]);
      roots_[output_root(output)] = data;
    }
    if (number + 1 == n_segments() && !copies_.empty()) {
      // The verifier has seen to it that no state is written before the last segment.
      if (const Status status = prepare_updates(host); !status.ok()) return status;
    }
    point(number);
    host.expect(bindings_[number]->cost());
    // Observers see every output.
    if (has_left_rows_) let_leave(number, observer == nullptr && session_ == nullptr);
    if (const Status status = run_steps(segment, host, observer); !status.ok()) return status;
  }
  if (own_session_) return commit_on_device();
  for (const Copy& copy : copies_) copy.transfer.run(copy.target, pointer(copy.value));
  return {};
}

Status Context::prepare(std::span<const Source> sources) {
  frame_.take(sources);
  return settle(0);
}

bool Context::take_values(const Segment& segment) {
  bool changed = false;
  for (const int reg : segment.values) {
    const int buffer = static_cast<int>(program_.plan.dims[reg].a);
    changed |= frame_.take_value(reg, pointer(buffer));
  }
  return changed;
}

// Dims, checks, layouts, kernels and places; all the following segments may hang on them.
Status Context::settle(int number) {
  settled_ = number;
  const Segment& segment = program_.schedule.segments[number];
  if (const Status status = frame_.settle(segment); !status.ok()) return status;
  try {
    if (const Status status = bind(number); !status.ok()) return status;
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory(kNone);
  } catch (const std::exception&) {
    // It may not pass: the GIL may be released here.
    return Status::bad_plan("a kernel must be bound without an exception");
  }
  place(number);
  if (session_ != nullptr) {
    if (const Status status = upload_scalars(); !status.ok()) return status;
  }
  settled_ = number + 1;
  return {};
}

Status Context::bind(int number) {
  const Segment& segment = program_.schedule.segments[number];
  key_.clear();
  if (number > 0) key_.push_back(bindings_[number - 1]->serial());
  if (session_ != nullptr) key_.push_back(is_observed_ ? 1 : 0);
  frame_.append_key(segment, key_);
  BindingCache& cache = caches_[number];
  Binding* binding = cache.find(key_);
  if (binding == nullptr) {
    Status status;
    auto made =
        Binding::make(program_, number, frame_.layouts(), key_, session_, is_observed_, status);
    if (!made) return of_kernel(status);
    if (!arenas_[number].reserve(made->arena(false).bytes)) {
      return Status::out_of_memory(largest(segment, *made, false));
    }
    roots_[arena_root(number, false)] = arenas_[number].data();
    if (session_ != nullptr) {
      if (status = load_on_device(number, *made); !status.ok()) return status;
    }
    binding = cache.add(std::move(made));
  }
  bindings_[number] = binding;
  has_left_rows_ = has_left_rows_ || !binding->left_rows().empty();
  for (int id = segment.begin; id < segment.end; ++id) {
    BoundStep& step = steps_[id];
    step.kernel = binding->kernels()[id - segment.begin].get();
    step.args.workspace =
        roots_[arena_root(number, step.on_device)] + binding->arena(step.on_device).workspace;
    step.args.left = 0;
    step.args.rows = nullptr;
    step.is_taken_over = false;
    step.taken_over.clear();
  }
  for (const TakenOver& taken : binding->taken_over()) {
    steps_[taken.step].is_taken_over = true;
    steps_[taken.by].taken_over.push_back(&steps_[taken.step].args);
  }
  for (int id = segment.begin; id < segment.end; ++id) {
    steps_[id].args.taken_over = steps_[id].taken_over;
  }
  return {};
}

int Context::largest(const Segment& segment, const Binding& binding, bool on_device) const {
  const ArenaLayout& arena = binding.arena(on_device);
  std::size_t most = arena.bytes - arena.workspace;
  int found = kNone;
  for (std::size_t i = 0; i < segment.slots.size(); ++i) {
    const std::size_t bytes = binding.slots()[i].bytes;
    const bool is_less = bytes < most || (bytes == most && found != kNone);
    if (program_.plan.buffer(segment.slots[i]).on_device != on_device || is_less) continue;
    most = bytes;
    found = segment.slots[i];
  }
  return found;
}

void Context::place(int number) {
  pointed_ = std::min(pointed_, number);
  const Segment& segment = program_.schedule.segments[number];
  std::size_t slot = 0;
  for (const int id : segment.buffers) places_[id] = place_of(number, id, slot);
  std::size_t value = 0;
  for (int id = 0; id < segment.end; ++id) {
    for (const int reg : program_.plan.step(id).dims) {
      dim_values_[value++] = frame_.registers()[reg];
    }
  }
}

// `slot` counts the segment's slots that have been placed.
Context::Place Context::place_of(int number, int id, std::size_t& slot) const {
  const BufferSpec& spec = program_.plan.buffer(id);
  const auto next_slot = [&]() -> Place {
    const Slot& own = bindings_[number]->slots()[slot++];
    return {arena_root(number, spec.on_device), static_cast<std::int64_t>(own.offset)};
  };
  switch (spec.kind) {
    case BufferKind::kScalar: return {scalar_root(spec.on_device), Frame::scalar_offset(id)};
    case BufferKind::kView: {
      if (const auto own = staged_.find(id); own != staged_.end()) return own->second;
      const Place& base = places_[spec.base];
      return {base.root, base.offset + frame_.offset(id)};
    }
    case BufferKind::kReshape: {
      const Place own = next_slot();
      return frame_.layouts()[spec.base].contiguous() ? places_[spec.base] : own;
    }
    case BufferKind::kTemp: {
      const int output = program_.schedule.output_number[id];
      if (output != kNone) return {output_root(output), 0};
      return spec.storage != kNone ? places_[spec.storage] : next_slot();
    }
    default: return {source_root(spec), 0};
  }
}

Status Context::prepare_updates(Host& host) {
  for (Copy& copy : copies_) {
    const Layout& value = frame_.layouts()[copy.value];
    Layout target = frame_.layouts()[copy.state];
    copy.target = pointer(copy.state);
    if (!same_shape(value, target)) {
      target = value;
      make_contiguous(target);
      const int state = program_.plan.buffer(copy.state).number;
      copy.target = host.resized_state(state, target);
      if (copy.target == nullptr) return Status::out_of_memory(copy.value);
    }
    const bool is_dense = value.contiguous() && target.contiguous();
    if (!copy.transfer.plan(target, value) || (is_on_device(copy.state) && !is_dense)) {
      return Status::bad_plan("an update must fit its state");
    }
  }
  return {};
}

// Inputs and outputs move from run to run, the rest only when it is placed anew.
void Context::point(int number) {
  const std::size_t begin = operand_begin_[number];
  if (number < pointed_) {
    for (std::size_t i = begin; i < moving_end_[number]; ++i) point_operand(moving_[i]);
    return;
  }
  std::size_t end = begin;
  for (std::size_t i = begin; i < operand_begin_[number + 1]; ++i) {
    point_operand(i);
    if (moves(places_[operand_buffers_[i]].root)) moving_[end++] = i;
  }
  moving_end_[number] = end;
  pointed_ = number + 1;
}

void Context::point_operand(std::size_t operand) {
  std::byte* const place = pointer(operand_buffers_[operand]);
  if (operands_[operand] == place) return;
  operands_[operand] = place;
  ++steps_[operand_steps_[operand]].args.moves;
}

bool Context::moves(int root) const {
  return root < static_cast<int>(program_.plan.input_buffers.size()) ||
         (root >= first_output_ && root < scalar_root(false));
}

void Context::let_leave(int step, std::size_t output, bool leaves) {
  std::uint32_t& left = steps_[step].args.left;
  const std::uint32_t bit = std::uint32_t{1} << output;
  left = leaves ? left | bit : left & ~bit;
}

void Context::let_leave(int number, bool leaves) {
  for (const LeftRows& rows : bindings_[number]->left_rows()) {
    let_leave(rows.writer, rows.output, leaves);
    RunArgs& args = steps_[rows.reader].args;
    args.rows = leaves ? rows.source : nullptr;
    args.rows_input = rows.input;
  }
}

Status Context::run_steps(const Segment& segment, Host& host, Observer* observer) {
  const bool is_plain = observer == nullptr && session_ == nullptr;
  for (int id = segment.begin; id < segment.end; ++id) {
    const BoundStep& step = steps_[id];
    if (!wanted(step)) continue;
    step_ = id;
    if (step.kernel != nullptr && is_plain) [[likely]] {
      if (const Status status = step.kernel->run(step.args); !status.ok()) return of_kernel(status);
      continue;
    }
    const Status status =
        observer == nullptr ? run_step(id, segment.end, host) : run_observed(id, host, *observer);
    if (!status.ok()) return status;
  }
  step_ = kNone;
  return {};
}

bool Context::wanted(const BoundStep& step) {
  if (step.is_taken_over || step.is_skipped) return false;
  for (std::size_t i = 0; i < step.guards.size(); ++i) {
    if ((*step.guards[i] != std::byte{0}) != (*step.expected)[i].value) return false;
  }
  return true;
}

// And those behind it, before `end`, that its kernel has done as well: leaves the last of them.
Status Context::run_step(int& id, int end, Host& host) {
  const BoundStep& step = steps_[id];
  if (session_ != nullptr) {
    if (const Status status = enter_step(id); !status.ok()) return status;
  }
  if (step.kernel == nullptr) return step.is_host ? host.call(*this, id) : Status{};
  std::size_t taken = 0;
  const Status status = of_kernel(step.kernel->run_with(step.args, behind(id, end), taken));
  id += static_cast<int>(taken);
  return status.ok() && session_ != nullptr ? session_->finish_step() : status;
}

Status Context::run_observed(int id, Host& host, Observer& observer) {
  Status status = observer.before(*this, id);
  if (status.ok()) status = run_step(id, id + 1, host);
  if (status.ok() && steps_[id].on_device) status = wait_for_device();
  if (status.ok()) status = observer.after(*this, id);
  return status;
}

}  // namespace arignote
