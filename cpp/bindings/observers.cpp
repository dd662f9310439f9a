#include "bindings/observers.hpp"

#include <chrono>
#include <span>

#include "bindings/unwinding.hpp"

namespace arignote {
namespace {

constexpr Status kPythonError{.code = Code::kHostError};

Ref copy_operand(const Context& context, int buffer) {
  const Operand operand = context.operand(buffer);
  if (!context.program().plan.buffer(buffer).on_device) {
    return copy_elements(operand.data, *operand.layout);
  }
  Ref array = new_array(descr_of(operand.layout->dtype).get(), *operand.layout);
  if (!array) return nullptr;
  const Status status =
      context.download(buffer, static_cast<std::byte*>(PyArray_DATA(as_array(array))));
  if (status.ok()) return array;
  PyErr_Format(PyExc_RuntimeError, "[device] %s", status.what);
  return nullptr;
}

// Copies, so that a hook may keep them, and so that it sees an input as it was before a step that
// overwrites it.
Ref copy_operands(const Context& context, std::span<const int> buffers) {
  Ref list(PyList_New(static_cast<Py_ssize_t>(buffers.size())));
  for (std::size_t i = 0; list && i < buffers.size(); ++i) {
    Ref array = copy_operand(context, buffers[i]);
    if (!array) return nullptr;
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), array.release());
  }
  return list;
}

std::int64_t now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

void add(Profile::Times& times, std::int64_t nanoseconds) {
  times.runs.fetch_add(1, std::memory_order_relaxed);
  times.nanoseconds.fetch_add(nanoseconds, std::memory_order_relaxed);
}

}  // namespace

Status Hooks::before(const Context& context, int step) {
  inputs_ = copy_operands(context, context.program().plan.step(step).inputs);
  if (!inputs_) return kPythonError;
  if (before_ == Py_None) return {};
  const Ref returned(call_function(before_, "iO", step, inputs_.get()));
  return returned ? Status{} : kPythonError;
}

Status Hooks::after(const Context& context, int step) {
  const Ref inputs = std::move(inputs_);
  if (after_ == Py_None) return {};
  const Ref outputs = copy_operands(context, context.program().plan.step(step).outputs);
  if (!outputs) return kPythonError;
  const Ref returned(call_function(after_, "iOO", step, inputs.get(), outputs.get()));
  return returned ? Status{} : kPythonError;
}

Timer::Timer(Profile& profile) : profile_(profile), call_start_(now()) {}

Timer::~Timer() { add(profile_.calls, now() - call_start_); }

Status Timer::before(const Context&, int) {
  step_start_ = now();
  return {};
}

Status Timer::after(const Context&, int step) {
  add(profile_.steps[step], now() - step_start_);
  return {};
}

}  // namespace arignote
