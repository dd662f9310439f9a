#include "runtime/schedule.hpp"

#include <algorithm>
#include <set>

namespace arignote {
namespace {

void find_writers_and_readers(const Plan& plan, Schedule& schedule) {
  schedule.writer.assign(plan.buffers.size(), kNone);
  schedule.readers.resize(plan.buffers.size());
  for (int i = 0; i < plan.n_steps(); ++i) {
    const Step& step = plan.step(i);
    for (const int buffer : step.inputs) schedule.readers[buffer].push_back(i);
    for (const Guard& guard : step.guards) schedule.readers[guard.buffer].push_back(i);
    for (const int buffer : step.outputs) schedule.writer[buffer] = i;
  }
  schedule.output_number.assign(plan.buffers.size(), kNone);
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    schedule.readers[plan.outputs[i]].push_back(plan.n_steps());
    schedule.output_number[plan.outputs[i]] = static_cast<int>(i);
  }
  for (const StateUpdate& update : plan.updates) {
    schedule.readers[update.value].push_back(plan.n_steps());
  }
}

void find_ready(const Plan& plan, Schedule& schedule) {
  for (const Dim& dim : plan.dims) {
    int ready = 0;
    if (dim.op == DimOp::kRead) ready = schedule.writer[dim.a] + 1;
    if (!is_source(dim.op)) ready = schedule.dim_ready[dim.a];
    if (is_binary(dim.op)) ready = std::max(ready, schedule.dim_ready[dim.b]);
    schedule.dim_ready.push_back(ready);
  }
  for (const BufferSpec& spec : plan.buffers) {
    int ready = 0;
    const auto wait_for = [&](int reg) { ready = std::max(ready, schedule.dim_ready[reg]); };
    for (const int reg : spec.shape) wait_for(reg);
    for (const int reg : spec.strides) wait_for(reg);
    if (spec.offset != kNone) wait_for(spec.offset);
    if (spec.value != kNone) wait_for(spec.value);
    if (spec.base != kNone) ready = std::max(ready, schedule.buffer_ready[spec.base]);
    schedule.buffer_ready.push_back(ready);
  }
}

// Memory lives until the last use of anything that shares it. Sharers have higher numbers.
void find_lifetimes(const Plan& plan, Schedule& schedule) {
  schedule.lifetimes.resize(plan.buffers.size());
  for (int id = plan.n_buffers() - 1; id >= 0; --id) {
    Lifetime& own = schedule.lifetimes[id];
    own.first = schedule.writer[id];
    own.last = std::max(own.last, own.first);
    if (!schedule.readers[id].empty()) own.last = std::max(own.last, schedule.readers[id].back());
    const int parent = plan.parent(id);
    if (parent != kNone) {
      schedule.lifetimes[parent].last = std::max(schedule.lifetimes[parent].last, own.last);
    }
  }
}

int segment_at(const Schedule& schedule, int step) {
  int found = 0;
  for (std::size_t i = 0; i < schedule.segments.size(); ++i) {
    if (schedule.segments[i].begin <= step) found = static_cast<int>(i);
  }
  return found;
}

void cut(const Plan& plan, Schedule& schedule) {
  std::set<int> cuts(schedule.dim_ready.begin(), schedule.dim_ready.end());
  cuts.insert(0);
  for (const int begin : cuts) {
    if (!schedule.segments.empty()) schedule.segments.back().end = begin;
    Segment& segment = schedule.segments.emplace_back();
    segment.begin = begin;
    segment.end = plan.n_steps();
  }
}

void fill_segments(const Plan& plan, Schedule& schedule) {
  for (std::size_t reg = 0; reg < plan.dims.size(); ++reg) {
    Segment& segment = schedule.segments[segment_at(schedule, schedule.dim_ready[reg])];
    const DimOp op = plan.dims[reg].op;
    const bool from_memory = op == DimOp::kValue || op == DimOp::kRead;
    (from_memory ? segment.values : segment.dims).push_back(static_cast<int>(reg));
  }
  for (std::size_t i = 0; i < plan.checks.size(); ++i) {
    const int ready =
        std::max(schedule.dim_ready[plan.checks[i].a], schedule.dim_ready[plan.checks[i].b]);
    schedule.segments[segment_at(schedule, ready)].checks.push_back(static_cast<int>(i));
  }
  for (int id = 0; id < plan.n_buffers(); ++id) {
    const BufferSpec& spec = plan.buffer(id);
    int place = segment_at(schedule, std::max(schedule.buffer_ready[id], schedule.writer[id]));
    if (spec.is_window()) place = std::max(place, schedule.segment_of[spec.base]);
    schedule.segment_of.push_back(place);
    Segment& segment = schedule.segments[place];
    segment.buffers.push_back(id);
    const bool owns = spec.kind == BufferKind::kReshape ||
                      (spec.kind == BufferKind::kTemp && spec.storage == kNone);
    if (schedule.output_number[id] != kNone) {
      segment.outputs.push_back(schedule.output_number[id]);
    } else if (owns) {
      segment.slots.push_back(id);
    }
  }
}

int find_first_write(const Plan& plan, const Schedule& schedule) {
  int first = plan.n_steps();
  for (int id = 0; id < plan.n_buffers(); ++id) {
    const int storage = plan.buffer(id).storage;
    if (storage != kNone && plan.buffer(storage).kind == BufferKind::kState) {
      first = std::min(first, schedule.writer[id]);
    }
  }
  return first;
}

}  // namespace

Schedule make_schedule(const Plan& plan) {
  Schedule schedule;
  find_writers_and_readers(plan, schedule);
  find_ready(plan, schedule);
  find_lifetimes(plan, schedule);
  cut(plan, schedule);
  fill_segments(plan, schedule);
  schedule.first_write = find_first_write(plan, schedule);
  return schedule;
}

}  // namespace arignote
