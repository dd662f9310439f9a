#include "bindings/observers.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "bindings/unwinding.hpp"

namespace arignote {
namespace {

constexpr Status kPythonError{.code = Code::kHostError};

// Of the device, with the bytes between its elements.
Ref copy_from_device(const Context& context, const Operand& operand) {
  const Layout& layout = *operand.layout;
  std::int64_t low = 0;
  auto high = static_cast<std::int64_t>(size_of(layout.dtype));
  for (int axis = 0; axis < layout.ndim; ++axis) {
    const std::int64_t reach = (layout.shape[axis] - 1) * layout.strides[axis];
    (reach < 0 ? low : high) += reach;
  }
  if (layout.size() == 0) low = high = 0;
  std::vector<std::byte> bytes(static_cast<std::size_t>(high - low));
  const Status status = context.download(operand.data + low, bytes.data(), bytes.size());
  if (status.ok()) return copy_elements(bytes.data() - low, layout);
  PyErr_Format(PyExc_RuntimeError, "[device] %s", status.what);
  return nullptr;
}

Ref copy_operand(const Context& context, int buffer) {
  const Operand operand = context.operand(buffer);
  return context.program().plan.buffer(buffer).on_device
             ? copy_from_device(context, operand)
             : copy_elements(operand.data, *operand.layout);
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
