#include "runtime/verify.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace arignote {
namespace {

std::string buffer_name(int id) { return "buffer " + std::to_string(id); }

std::string step_name(const Plan& plan, int id) {
  return "step " + std::to_string(id) + " (" + plan.step(id).spec.kernel + ")";
}

void require(bool holds, const std::string& text) {
  if (!holds) throw PlanError(text);
}

bool in_range(std::int64_t id, std::size_t size) {
  return id >= 0 && static_cast<std::uint64_t>(id) < size;
}

bool is_integer(DType dtype) { return dtype <= DType::kUInt64; }

// --- structure

class Structure {
 public:
  explicit Structure(const Plan& plan) : plan_(plan) {}

  void verify() const {
    for (std::size_t i = 0; i < plan_.dims.size(); ++i) dim(i);
    for (std::size_t i = 0; i < plan_.checks.size(); ++i) {
      const std::string where = "check " + std::to_string(i);
      reg(plan_.checks[i].a, where);
      reg(plan_.checks[i].b, where);
    }
    for (int id = 0; id < plan_.n_buffers(); ++id) buffer(id);
    for (int id = 0; id < plan_.n_steps(); ++id) step(id);
    for (const int id : plan_.outputs) known(id, "outputs");
    for (const StateUpdate& update : plan_.updates) {
      known(update.state, "updates");
      known(update.value, "updates");
    }
  }

 private:
  void reg(std::int64_t id, const std::string& where) const {
    require(in_range(id, plan_.dims.size()),
            where + " must name a register: " + std::to_string(id));
  }

  void known(std::int64_t id, const std::string& where) const {
    require(in_range(id, plan_.buffers.size()),
            where + " must name a buffer: " + std::to_string(id));
  }

  void dim(std::size_t i) const {
    const Dim& dim = plan_.dims[i];
    const std::string where = "register " + std::to_string(i);
    if (dim.op == DimOp::kConst) return;
    if (!is_source(dim.op)) {
      require(in_range(dim.a, i),
              where + " must use registers before it: " + std::to_string(dim.a));
      require(!is_binary(dim.op) || in_range(dim.b, i),
              where + " must use registers before it: " + std::to_string(dim.b));
      return;
    }
    known(dim.a, where);
    const BufferSpec& source = plan_.buffers[static_cast<std::size_t>(dim.a)];
    if (dim.op == DimOp::kRead) {
      require(source.kind == BufferKind::kTemp, where + " must read a temp");
    } else {
      require(source.is_source(), where + " must ask an input, a state or a constant");
    }
    if (dim.op == DimOp::kShape || dim.op == DimOp::kStride) {
      require(in_range(dim.b, source.shape.size()),
              where + " must name an axis: " + std::to_string(dim.b));
    } else {
      require(source.ndim() == 0 && is_integer(source.dtype),
              where + " must read a 0-d integer: " + buffer_name(static_cast<int>(dim.a)));
    }
  }

  void buffer(int id) const {
    const BufferSpec& spec = plan_.buffer(id);
    const std::string where = buffer_name(id);
    require(spec.ndim() <= kMaxDims, where + " must have at most 16 axes");
    for (const int axis : spec.shape) reg(axis, where + ": shape");
    switch (spec.kind) {
      case BufferKind::kInput:
        require(spec.broadcastable.size() == spec.shape.size(),
                where + ": broadcastable must have one flag per axis");
        break;
      case BufferKind::kConst:
        require(plan_.constants[spec.number].shape.size() == spec.shape.size(),
                where + ": array must have as many axes as shape");
        break;
      case BufferKind::kState: break;
      case BufferKind::kScalar:
        reg(spec.value, where + ": value");
        require(spec.ndim() == 0, where + ": a scalar must have no axes");
        require(is_integer(spec.dtype) || spec.dtype == DType::kFloat32 ||
                    spec.dtype == DType::kFloat64,
                where + ": a scalar must be bool, integer, float32 or float64");
        break;
      case BufferKind::kTemp: storage(id); break;
      case BufferKind::kView:
      case BufferKind::kReshape: window(id); break;
    }
  }

  void storage(int id) const {
    const int storage = plan_.buffer(id).storage;
    if (storage == kNone) return;
    const std::string where = buffer_name(id) + ": storage";
    require(in_range(storage, static_cast<std::size_t>(id)),
            where + " must be a buffer before it: " + std::to_string(storage));
    const BufferKind kind = plan_.buffer(storage).kind;
    require(kind == BufferKind::kTemp || kind == BufferKind::kState,
            where + " must be a temp or a state: " + buffer_name(storage));
  }

  void window(int id) const {
    const BufferSpec& spec = plan_.buffer(id);
    const std::string where = buffer_name(id);
    require(in_range(spec.base, static_cast<std::size_t>(id)),
            where + ": base must be a buffer before it: " + std::to_string(spec.base));
    require(plan_.buffer(spec.base).dtype == spec.dtype,
            where + ": base must have the same dtype: " +
                std::string(name_of(plan_.buffer(spec.base).dtype)));
    if (spec.kind == BufferKind::kReshape) return;
    reg(spec.offset, where + ": offset");
    require(spec.strides.size() == spec.shape.size(),
            where + ": strides must have one register per axis");
    for (const int stride : spec.strides) reg(stride, where + ": strides");
  }

  void step(int id) const {
    const Step& step = plan_.step(id);
    const std::string where = step_name(plan_, id);
    for (const int dim : step.dims) reg(dim, where + ": dims");
    for (const int buffer : step.inputs) known(buffer, where + ": inputs");
    for (const Guard& guard : step.guards) known(guard.buffer, where + ": guards");
    for (const int buffer : step.outputs) {
      known(buffer, where + ": outputs");
      const BufferKind kind = plan_.buffer(buffer).kind;
      const bool fits = step.kind == StepKind::kReshape ? kind == BufferKind::kReshape
                                                        : kind == BufferKind::kTemp;
      require(fits, where + ": outputs must be temps, of a reshape step a reshape: " +
                        buffer_name(buffer));
    }
    if (step.kind != StepKind::kReshape) return;
    require(step.inputs.size() == 1 && step.outputs.size() == 1 &&
                plan_.buffer(step.outputs[0]).base == step.inputs[0],
            where + " must go from a base to its reshape");
  }

  const Plan& plan_;
};

// --- rules

class Rules {
 public:
  Rules(const Plan& plan, const Schedule& schedule) : plan_(plan), schedule_(schedule) {}

  void verify() {
    written_once();
    find_guards();
    for (int id = 0; id < plan_.n_steps(); ++id) step(id);
    for (std::size_t i = 0; i < plan_.dims.size(); ++i) {
      const Dim& dim = plan_.dims[i];
      require(dim.op != DimOp::kRead || guards_of(static_cast<int>(dim.a)).empty(),
              "register " + std::to_string(i) + " must not read what a guarded step computes");
    }
    outputs();
    updates();
    for (int id = 0; id < plan_.n_buffers(); ++id) overwritten(id);
    commit();
  }

 private:
  void written_once() const {
    std::vector<int> writes(plan_.buffers.size(), 0);
    for (const Step& step : plan_.steps) {
      for (const int buffer : step.outputs) ++writes[buffer];
    }
    for (int id = 0; id < plan_.n_buffers(); ++id) {
      const BufferKind kind = plan_.buffer(id).kind;
      const bool computed = kind == BufferKind::kTemp || kind == BufferKind::kReshape;
      require(!computed || writes[id] == 1, buffer_name(id) + " must be written by one step: " +
                                                std::to_string(writes[id]) + " write it");
    }
  }

  void find_guards() {
    guards_.resize(plan_.buffers.size());
    for (int id = 0; id < plan_.n_buffers(); ++id) {
      if (schedule_.writer[id] != kNone) guards_[id] = plan_.step(schedule_.writer[id]).guards;
      if (plan_.buffer(id).kind == BufferKind::kView) guards_[id] = guards_[plan_.buffer(id).base];
    }
  }

  const std::vector<Guard>& guards_of(int buffer) const { return guards_[buffer]; }

  // The step that makes a buffer's content, kNone if it is there from the start.
  int definer(int buffer) const { return schedule_.writer[plan_.viewed(buffer)]; }

  void step(int id) const {
    const Step& step = plan_.step(id);
    const std::string where = step_name(plan_, id);
    for (const int reg : step.dims) {
      require(schedule_.dim_ready[reg] <= id,
              where + ": dims must be known by then: register " + std::to_string(reg));
    }
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      reads(id, step.inputs[i]);
      guarded(id, step.inputs[i], allowed_guards(step, i));
    }
    for (const Guard& guard : step.guards) {
      const BufferSpec& spec = plan_.buffer(guard.buffer);
      require(spec.ndim() == 0 && spec.dtype == DType::kBool,
              where + ": guards must be 0-d bool: " + buffer_name(guard.buffer));
      reads(id, guard.buffer);
      // A guard may stand under the guards named before it, so that conditions nest.
      const auto end = std::find(step.guards.begin(), step.guards.end(), guard);
      guarded(id, guard.buffer, {step.guards.begin(), end});
    }
    for (const int buffer : step.outputs) {
      require(schedule_.buffer_ready[buffer] <= id,
              where + ": the shape of an output must be known by then: " + buffer_name(buffer));
    }
  }

  void reads(int id, int buffer) const {
    require(definer(buffer) < id,
            step_name(plan_, id) + ": inputs must be written before: " + buffer_name(buffer));
    require(schedule_.buffer_ready[buffer] <= id,
            step_name(plan_, id) +
                ": the shape of an input must be known by then: " + buffer_name(buffer));
  }

  // What a step may rely on when it reads input i: its own guards, and for ifelse its choice.
  static std::vector<Guard> allowed_guards(const Step& step, std::size_t i) {
    std::vector<Guard> allowed = step.guards;
    if (step.spec.kernel == "ifelse" && step.inputs.size() == 3 && i > 0) {
      allowed.push_back({step.inputs[0], i == 1});
    }
    return allowed;
  }

  void guarded(int id, int buffer, const std::vector<Guard>& allowed) const {
    for (const Guard& guard : guards_of(buffer)) {
      require(std::find(allowed.begin(), allowed.end(), guard) != allowed.end(),
              step_name(plan_, id) +
                  " must stand under the guards of what it reads: " + buffer_name(buffer));
    }
  }

  void outputs() const {
    std::set<int> seen;
    for (const int id : plan_.outputs) {
      const BufferSpec& spec = plan_.buffer(id);
      require(spec.kind == BufferKind::kTemp && spec.storage == kNone,
              "outputs must be temps with memory of their own: " + buffer_name(id));
      require(seen.insert(id).second, "outputs must differ: " + buffer_name(id));
      require(guards_of(id).empty(), "outputs must not stand under guards: " + buffer_name(id));
    }
  }

  void updates() const {
    std::set<int> updated;
    for (const StateUpdate& update : plan_.updates) {
      const std::string where = "update of " + buffer_name(update.state);
      const BufferSpec& state = plan_.buffer(update.state);
      const BufferSpec& value = plan_.buffer(update.value);
      require(state.kind == BufferKind::kState, where + ": it must be a state");
      require(updated.insert(update.state).second, where + ": there must be only one");
      require(state.dtype == value.dtype && state.ndim() == value.ndim(),
              where +
                  ": the value must have the state's dtype and ndim: " + buffer_name(update.value));
      require(guards_of(update.value).empty(),
              where + ": the value must not stand under guards: " + buffer_name(update.value));
    }
    for (const StateUpdate& update : plan_.updates) {
      int root = update.value;
      while (plan_.buffer(root).is_window()) root = plan_.buffer(root).base;
      require(!updated.contains(root), "update of " + buffer_name(update.state) +
                                           ": the value must not lie in a state that is updated: " +
                                           buffer_name(update.value));
    }
  }

  // A buffer may take the memory of another when nobody reads that one any more, nor any window on
  // it.
  void overwritten(int id) {
    const int storage = plan_.buffer(id).storage;
    if (storage == kNone) return;
    const std::string where = buffer_name(id) + ": its storage " + buffer_name(storage);
    require(takers_.insert(storage).second, where + " must have only one taker");
    const int writer = schedule_.writer[id];
    if (plan_.buffer(storage).kind == BufferKind::kState) {
      const bool updated =
          std::any_of(plan_.updates.begin(), plan_.updates.end(), [&](const StateUpdate& update) {
            return update.state == storage && update.value == id;
          });
      require(updated, where + " is a state, which must be updated by it");
      // A device may get to the step when one before it has failed. Kernels then write nothing, but
      // uploads and the products of a library cannot promise that.
      const std::string& kernel = plan_.step(writer).spec.kernel;
      const bool may_write = kernel != "to_device" && kernel != "dot" && kernel != "by_rows";
      require(!plan_.step(writer).on_device || may_write, where + " is a state, which " +
                                                              step_name(plan_, writer) +
                                                              " must not write on a device");
    } else {
      require(schedule_.writer[storage] < writer, where + " must be written before it");
    }
    for (int window = storage; window < plan_.n_buffers(); ++window) {
      if (!is_on(window, storage)) continue;
      for (const int reader : schedule_.readers[window]) {
        const bool element_for_element = window == storage && reader == writer;
        require(reader < writer || element_for_element,
                where + " must not be read any more: " + buffer_name(window) + " is, by " +
                    (reader < plan_.n_steps() ? step_name(plan_, reader) : "the end of the call"));
      }
    }
  }

  bool is_on(int window, int buffer) const {
    while (window > buffer && plan_.buffer(window).is_window()) window = plan_.buffer(window).base;
    return window == buffer;
  }

  // From the first step that writes into a state on, nothing may fail.
  void commit() const {
    const int first = schedule_.first_write;
    for (int id = first + 1; id < plan_.n_steps(); ++id) {
      require(!may_fail(plan_.step(id)), step_name(plan_, id) +
                                             " may fail, so it must stand before " +
                                             step_name(plan_, first) + ", which writes a state");
    }
    require(schedule_.segments.back().begin <= first,
            "dims must be known before the first step that writes a state: step " +
                std::to_string(first));
  }

  const Plan& plan_;
  const Schedule& schedule_;
  std::vector<std::vector<Guard>> guards_;
  std::set<int> takers_;
};

}  // namespace

bool may_fail(const Step& step) {
  static constexpr std::array<std::string_view, 5> kInfallible = {"elementwise", "copy", "reshape",
                                                                  "to_device", "to_host"};
  return std::ranges::find(kInfallible, step.spec.kernel) == kInfallible.end();
}

void verify_structure(const Plan& plan) { Structure(plan).verify(); }

void verify_rules(const Plan& plan, const Schedule& schedule) { Rules(plan, schedule).verify(); }

}  // namespace arignote
