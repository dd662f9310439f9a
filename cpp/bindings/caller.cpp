#include "bindings/caller.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "bindings/unwinding.hpp"
#include "core/buffer.hpp"

namespace arignote {
namespace {

// Below this, giving the GIL away and taking it again costs more than it brings.
constexpr double kWorthReleasing = 5000;

// In nanoseconds: a step of a loop takes longer than what its kernels do.
constexpr double kLeastStep = 50;

const char* kind_of(Code code) {
  switch (code) {
    case Code::kIndexOutOfRange: return "index";
    case Code::kOutOfMemory: return "memory";
    case Code::kCheckFailed: return "check";
    case Code::kReadOnly: return "readonly";
    case Code::kUneven: return "uneven";
    case Code::kDeviceError: return "device";
    default: return "plan";
  }
}

std::string text_of(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (const std::int64_t length : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(length);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::span<const std::int64_t> shape_of(const Layout& layout) {
  return {layout.shape.data(), static_cast<std::size_t>(layout.ndim)};
}

}  // namespace

Caller::Caller(const FunctionCore& core) : core_(core), context_(core.loaded.program) {
  const Plan& plan = core.loaded.program.plan;
  sources_.resize(core.inputs.size() + core.states.size());
  arrays_.resize(core.inputs.size());
  scratch_.resize(core.inputs.size());
  kept_.resize(core.inputs.size());
  outputs_.resize(plan.outputs.size());
  borrowed_.resize(plan.outputs.size());
  stacks_.reserve(core.inputs.size());
  results_.resize(plan.outputs.size());
  resized_.reserve(core.states.size());
  aside_.reserve(core.states.size());
  count_allocation();
}

Caller::~Caller() = default;

Ref Caller::call(PyObject* function, PyObject* const* arguments, Observer* observer, bool undo) {
  Ref result;
  StateLocks locks;
  if (accept(function, arguments) && locks.take(core_.uses)) {
    const Status status = run(observer, undo);
    if (status.ok()) {
      finish_states();
      count_updates(1);
    }
    locks.release();
    if (status.ok()) {
      result = build();
    } else {
      fail(function, arguments, status);
    }
  }
  reset();
  return result;
}

bool Caller::accept(PyObject* function, PyObject* const* arguments) {
  for (std::size_t i = 0; i < core_.inputs.size(); ++i) {
    PyObject* const value = arguments[i];
    const InputRule& rule = core_.inputs[i];
    auto* const array =
        PyArray_CheckExact(value) ? reinterpret_cast<PyArrayObject*>(value) : nullptr;
    if (array != nullptr && rule.accepts(array)) {
      take_array(i, array);
    } else if (array == nullptr && rule.store(value, scratch_[i].data())) {
      arrays_[i] = nullptr;
      sources_[i] = {.data = scratch_[i].data()};
    } else if (array != nullptr && rule.converts(array)) {
      if (!keep(i, rule.convert(array))) return false;
    } else if (!accept_slowly(function, i, value)) {
      return false;
    }
  }
  return true;
}

bool Caller::accept_slowly(PyObject* function, std::size_t position, PyObject* value) {
  Ref converted(call_method(function, "_convert", "nO", static_cast<Py_ssize_t>(position), value));
  if (!converted) return false;
  if (!PyArray_Check(converted.get()) || !core_.inputs[position].accepts(as_array(converted))) {
    PyErr_Format(PyExc_TypeError,
                 "[Function] _convert must return an array that fits input %zu: %R", position,
                 converted.get());
    return false;
  }
  return keep(position, std::move(converted));
}

bool Caller::keep(std::size_t position, Ref converted) {
  if (!converted) return false;
  take_array(position, as_array(converted));
  kept_[position] = std::move(converted);
  return true;
}

void Caller::take_array(std::size_t position, PyArrayObject* array) {
  arrays_[position] = array;
  sources_[position] = source_of(array);
}

Status Caller::take_states() {
  for (std::size_t i = 0; i < core_.states.size(); ++i) {
    sources_[core_.inputs.size() + i] = source_of(as_array(core_.states[i]->array));
  }
  for (const int number : core_.written) {
    if (!PyArray_ISWRITEABLE(as_array(core_.states[number]->array))) {
      return {.code = Code::kReadOnly, .position = number};
    }
  }
  return {};
}

// States may lie in the same memory if an array is borrowed. One that is written while another
// reaches into it is written to a copy, so that all steps see old values only.
Status Caller::separate_states() {
  if (std::ranges::none_of(core_.states, &StateCell::borrows)) return {};
  for (const int number : core_.written) {
    const MemoryRange range = range_of(as_array(core_.states[number]->array));
    const bool alone = std::ranges::all_of(core_.states, [&](const StateCell* other) {
      return other == core_.states[number] || !range.meets(range_of(as_array(other->array)));
    });
    if (alone) continue;
    Ref copy(PyArray_NewCopy(as_array(core_.states[number]->array), NPY_KEEPORDER));
    if (!copy) return {.code = Code::kHostError};
    sources_[core_.inputs.size() + static_cast<std::size_t>(number)] = source_of(as_array(copy));
    aside_.push_back({number, std::move(copy)});
  }
  return {};
}

// An input that lies in a state which this call writes would change under the call's hands.
Status Caller::separate_inputs() {
  for (const int number : core_.written) {
    const MemoryRange state = range_of(as_array(core_.states[number]->array));
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      if (arrays_[i] == nullptr || !range_of(arrays_[i]).meets(state)) continue;
      Ref copy(PyArray_NewCopy(arrays_[i], NPY_CORDER));
      if (!keep(i, std::move(copy))) return {.code = Code::kHostError};
    }
  }
  return {};
}

Status Caller::run(Observer* observer, bool undo) {
  if (const Status status = take_states(); !status.ok()) return status;
  if (const Status status = separate_states(); !status.ok()) return status;
  if (const Status status = separate_inputs(); !status.ok()) return status;
  keeps_gil_ = undo;
  if (!undo) {
    const Status status = context_.run(sources_, *this, observer);
    hold_gil();
    return status;
  }
  std::vector<Ref> saved;
  if (!save_states(saved)) return {.code = Code::kHostError};
  const Status status = context_.run(sources_, *this, observer);
  if (status.ok()) return status;
  const Status lost = restore_states(saved);
  return lost.ok() ? status : lost;
}

bool Caller::save_states(std::vector<Ref>& saved) const {
  for (const int number : core_.in_place) {
    const StateCell& cell = *core_.states[number];
    saved.push_back(cell.backend != nullptr
                        ? duplicated(*cell.backend, as_array(cell.array))
                        : Ref(PyArray_NewCopy(as_array(cell.array), NPY_KEEPORDER)));
    if (!saved.back()) return false;
  }
  return true;
}

// Copies between the host's arrays of one dtype and shape cannot fail; what went wrong before stays
// the error. A device's may: then states are not as they were, and that is the error.
Status Caller::restore_states(const std::vector<Ref>& saved) const {
  Status lost;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  for (std::size_t i = 0; i < saved.size(); ++i) {
    const StateCell& cell = *core_.states[core_.in_place[i]];
    if (cell.backend != nullptr) {
      const Status copied = copy_on_device(*cell.backend, as_array(saved[i]), as_array(cell.array));
      if (!copied.ok()) lost = copied;
    } else {
      PyArray_CopyInto(as_array(cell.array), as_array(saved[i]));
    }
  }
  PyErr_Restore(type, value, traceback);
  if (!lost.ok()) PyErr_Clear();
  return lost;
}

// Needs the locks. Copies between arrays of one dtype and shape cannot fail. The old arrays go when
// the call is over: their end may run Python code.
void Caller::finish_states() {
  for (const StateArray& written : aside_) {
    const bool is_resized = std::ranges::any_of(
        resized_, [&](const StateArray& resized) { return resized.state == written.state; });
    if (is_resized) continue;
    PyArray_CopyInto(as_array(core_.states[written.state]->array), as_array(written.array));
  }
  for (StateArray& resized : resized_) {
    resized.array = core_.states[resized.state]->replace(std::move(resized.array), false);
  }
}

void Caller::count_updates(std::int64_t count) {
  for (const int number : core_.written) {
    core_.states[number]->version.fetch_add(count, std::memory_order_relaxed);
  }
}

Ref Caller::build() {
  if (core_.returns == Returns::kOne) return std::move(outputs_[0]);
  const auto count = static_cast<Py_ssize_t>(outputs_.size());
  if (core_.returns == Returns::kList) {
    Ref list(PyList_New(count));
    if (!list) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) PyList_SET_ITEM(list.get(), i, outputs_[i].release());
    return list;
  }
  Ref dict(PyDict_New());
  for (Py_ssize_t i = 0; dict && i < count; ++i) {
    PyObject* key = PyTuple_GET_ITEM(core_.keys.get(), i);
    if (PyDict_SetItem(dict.get(), key, outputs_[i].get()) < 0) return nullptr;
  }
  return dict;
}

// Has _fail raise what describes the failure best. A Python error that is set already stays, but
// for NumPy's about memory, which does not know what the array is for.
void Caller::fail(PyObject* function, PyObject* const* arguments, const Status& status) {
  std::string what = status.what;
  if (status.code == Code::kOutOfMemory) {
    if (PyErr_Occurred() != nullptr && PyErr_ExceptionMatches(PyExc_MemoryError) != 0) {
      PyErr_Clear();
    }
    if (status.position != kNone) what = refused_shape(static_cast<int>(status.position));
  } else if (status.code == Code::kUneven) {
    const int buffer = core_.loaded.program.plan.outputs[status.position];
    what = text_of(shape_of(results_[status.position].layout)) + ", then " +
           text_of(shape_of(context_.layout(buffer)));
  }
  if (PyErr_Occurred() != nullptr) return;
  const Ref tuple = given(arguments);
  if (!tuple) return;
  const Ref returned(
      call_method(function, "_fail", "siiLLLsO", kind_of(status.code), context_.step(), status.step,
                  static_cast<long long>(status.position), static_cast<long long>(status.value),
                  static_cast<long long>(status.other), what.c_str(), tuple.get()));
  if (returned) PyErr_SetString(PyExc_RuntimeError, "[Function] _fail must raise an exception");
}

// The shape of an array that there is no memory for: of a loop's results, with all of them.
std::string Caller::refused_shape(int buffer) const {
  const Layout& layout = context_.layout(buffer);
  const int output = core_.loaded.program.schedule.output_number[buffer];
  std::vector<std::int64_t> shape(shape_of(layout).begin(), shape_of(layout).end());
  if (loop_.count > 0 && output != kNone && !outputs_[output]) {
    shape.insert(shape.begin(), loop_.count);
  }
  return text_of(shape);
}

// The arguments of the call that failed, as a tuple.
Ref Caller::given(PyObject* const* arguments) const {
  Ref tuple(PyTuple_New(static_cast<Py_ssize_t>(core_.inputs.size())));
  for (std::size_t i = 0; tuple && i < core_.inputs.size(); ++i) {
    Ref argument = new_ref(kept_[i] ? kept_[i].get() : arguments[i]);
    const bool is_stack =
        std::ranges::find(stacks_, static_cast<int>(i), &TurnStack::input) != stacks_.end();
    if (is_stack) argument.reset(PySequence_GetItem(argument.get(), loop_.done));
    if (!argument) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), argument.release());
  }
  return tuple;
}

// --- what the executor asks for

std::byte* Caller::output(int number, const Layout& layout) {
  if (loop_.count > 0) return result(number, layout);
  hold_gil();
  const OutputRule& rule = core_.outputs[number];
  if (rule.borrow && reusable(number, layout)) {
    outputs_[number] = new_ref(borrowed_[number].get());
  } else {
    outputs_[number] = new_array(rule.descr.get(), layout);
    if (rule.borrow) borrowed_[number] = new_ref(outputs_[number].get());
  }
  if (!outputs_[number]) return nullptr;
  return static_cast<std::byte*>(PyArray_DATA(as_array(outputs_[number])));
}

// The user has had the array in hands, and may even pass it as an argument now.
bool Caller::reusable(int number, const Layout& layout) const {
  if (!borrowed_[number]) return false;
  PyArrayObject* const array = as_array(borrowed_[number]);
  if (PyArray_NDIM(array) != layout.ndim || dtype_of(PyArray_DESCR(array)) != layout.dtype ||
      !is_behaved(array) || !PyArray_ISWRITEABLE(array) || !PyArray_IS_C_CONTIGUOUS(array) ||
      !std::equal(layout.shape.begin(), layout.shape.begin() + layout.ndim, PyArray_DIMS(array))) {
    return false;
  }
  const MemoryRange range = range_of(array);
  for (PyArrayObject* const input : arrays_) {
    if (input != nullptr && range.meets(range_of(input))) return false;
  }
  return std::none_of(core_.states.begin(), core_.states.end(), [&](const StateCell* state) {
    return range.meets(range_of(as_array(state->array)));
  });
}

std::byte* Caller::resized_state(int number, const Layout& layout) {
  hold_gil();
  const auto* const shape = reinterpret_cast<const npy_intp*>(layout.shape.data());
  Backend* const backend = core_.states[number]->backend;
  Ref array = backend != nullptr ? new_device_array(*backend, layout.dtype, layout.ndim, shape)
                                 : new_aligned_array(layout.dtype, layout.ndim, shape);
  if (!array) return nullptr;
  auto* const data = static_cast<std::byte*>(PyArray_DATA(as_array(array)));
  resized_.push_back({number, std::move(array)});
  return data;
}

void Caller::expect(double nanoseconds) {
  if (loop_.count > 0) {
    loop_.unwatched += std::max(nanoseconds, kLeastStep);
    nanoseconds *= static_cast<double>(loop_.count - loop_.done);
  }
  if (nanoseconds > kWorthReleasing && released_ == nullptr && !keeps_gil_) {
    released_ = PyEval_SaveThread();
  }
}

void Caller::hold_gil() {
  if (released_ == nullptr) return;
  restore_thread(released_);
  released_ = nullptr;
}

void Caller::reset() {
  for (Ref& array : kept_) array.reset();
  for (Ref& array : outputs_) array.reset();
  resized_.clear();
  aside_.clear();
  stacks_.clear();
  loop_ = {};
}

}  // namespace arignote
