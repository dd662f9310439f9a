#include "bindings/function_core.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "bindings/caller.hpp"
#include "core/buffer.hpp"

namespace arignote {

FunctionCore::FunctionCore(PyObject* program, const LoadedProgram& loaded_program)
    : program_object(new_ref(program)), loaded(loaded_program) {
  for (const StateUpdate& update : loaded.program.plan.updates) {
    const BufferSpec& state = loaded.program.plan.buffer(update.state);
    written.push_back(state.number);
    if (loaded.program.plan.buffer(update.value).storage == update.state) {
      in_place.push_back(state.number);
    }
  }
}

FunctionCore::~FunctionCore() {
  const std::unique_ptr<Caller> idle(idle_.load(std::memory_order_relaxed));
}

std::unique_ptr<Caller> FunctionCore::take_caller() {
  if (Caller* idle = idle_.exchange(nullptr, std::memory_order_acquire)) {
    return std::unique_ptr<Caller>(idle);
  }
  {
    const std::scoped_lock lock(mutex);
    if (!spare_.empty()) {
      auto caller = std::move(spare_.back());
      spare_.pop_back();
      return caller;
    }
  }
  return std::make_unique<Caller>(*this);
}

void FunctionCore::give_back(std::unique_ptr<Caller> caller) {
  Caller* none = nullptr;
  if (idle_.compare_exchange_strong(none, caller.get(), std::memory_order_release,
                                    std::memory_order_relaxed)) {
    caller.release();
    return;
  }
  const std::scoped_lock lock(mutex);
  spare_.push_back(std::move(caller));
}

bool FunctionCore::take_states(PyObject* objects) {
  states_tuple.reset(PySequence_Tuple(objects));
  if (!states_tuple) return false;
  const Plan& plan = loaded.program.plan;
  const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(states_tuple.get()));
  if (count != plan.state_buffers.size()) {
    PyErr_Format(PyExc_ValueError, "[Function] states must be as many as the program's, %zu: %zu",
                 plan.state_buffers.size(), count);
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    StateCell* cell = state_cell(PyTuple_GET_ITEM(states_tuple.get(), static_cast<Py_ssize_t>(i)));
    if (cell == nullptr) return false;
    const BufferSpec& spec = plan.buffer(plan.state_buffers[i]);
    const Ref array = cell->current();
    if (cell->dtype != spec.dtype || PyArray_NDIM(as_array(array)) != spec.ndim()) {
      PyErr_Format(PyExc_ValueError,
                   "[Function] state %zu must have dtype %s and %d axes: %S and %d", i,
                   std::string(name_of(spec.dtype)).c_str(), spec.ndim(),
                   reinterpret_cast<PyObject*>(PyArray_DESCR(as_array(array))),
                   PyArray_NDIM(as_array(array)));
      return false;
    }
    if (cell->backend != (spec.on_device ? loaded.program.backend : nullptr)) {
      PyErr_Format(PyExc_ValueError, "[Function] state %zu must lie %s", i,
                   spec.on_device ? "on the program's device" : "on the host");
      return false;
    }
    const auto number = static_cast<int>(i);
    const bool exclusive = std::ranges::find(written, number) != written.end();
    states.push_back(cell);
    uses.push_back({cell, exclusive});
  }
  std::ranges::sort(uses, {}, &StateUse::cell);
  if (std::ranges::adjacent_find(uses, {}, &StateUse::cell) != uses.end()) {
    PyErr_SetString(PyExc_ValueError, "[Function] states must differ from each other");
    return false;
  }
  return true;
}

bool FunctionCore::take_returns(PyObject* given) {
  const std::size_t count = loaded.program.plan.outputs.size();
  if (PyTuple_Check(given)) {
    returns = Returns::kDict;
    keys = new_ref(given);
    if (static_cast<std::size_t>(PyTuple_GET_SIZE(given)) == count) return true;
  } else if (PyUnicode_Check(given)) {
    if (PyUnicode_CompareWithASCIIString(given, "list") == 0) return true;
    returns = Returns::kOne;
    if (PyUnicode_CompareWithASCIIString(given, "one") == 0 && count == 1) return true;
  }
  PyErr_Format(
      PyExc_ValueError,
      "[Function] returns must be 'one' for one output, 'list', or a key for each of the %zu "
      "outputs: %R",
      count, given);
  return false;
}

bool FunctionCore::take_outputs(PyObject* borrow_flags) {
  const Ref tuple(PySequence_Tuple(borrow_flags));
  if (!tuple) return false;
  const Plan& plan = loaded.program.plan;
  const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(tuple.get()));
  if (count != plan.outputs.size()) {
    PyErr_Format(PyExc_ValueError,
                 "[Function] borrow_outputs must have a flag for each of the %zu outputs: %zu",
                 plan.outputs.size(), count);
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const int flag = PyObject_IsTrue(PyTuple_GET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i)));
    if (flag < 0) return false;
    outputs.push_back({flag != 0, descr_of(plan.buffer(plan.outputs[i]).dtype)});
  }
  return true;
}

bool FunctionCore::take_inputs(PyObject* conversions) {
  const Ref tuple(PySequence_Tuple(conversions));
  if (!tuple) return false;
  const Plan& plan = loaded.program.plan;
  const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(tuple.get()));
  if (count != plan.input_buffers.size()) {
    PyErr_Format(PyExc_ValueError,
                 "[Function] conversions must have a name for each of the %zu inputs: %zu",
                 plan.input_buffers.size(), count);
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i));
    const auto conversion = conversion_from_name(name);
    if (!conversion) return false;
    inputs.emplace_back(plan.buffer(plan.input_buffers[i]), *conversion);
  }
  return true;
}

}  // namespace arignote
