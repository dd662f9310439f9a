// Steps that run in Python.
#include <algorithm>

#include "bindings/caller.hpp"
#include "bindings/unwinding.hpp"

namespace arignote {
namespace {

// The callable may keep what it is given, so it gets copies: plan memory does not outlive the call.
Ref copy_inputs(const Context& context, const Step& step) {
  Ref tuple(PyTuple_New(static_cast<Py_ssize_t>(step.inputs.size())));
  for (std::size_t i = 0; tuple && i < step.inputs.size(); ++i) {
    const Operand operand = context.operand(step.inputs[i]);
    Ref array = copy_elements(operand.data, *operand.layout);
    if (!array) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), array.release());
  }
  return tuple;
}

bool fits(PyObject* object, const Layout& layout) {
  if (!PyArray_Check(object)) return false;
  auto* const array = reinterpret_cast<PyArrayObject*>(object);
  return dtype_of(PyArray_DESCR(array)) == layout.dtype && PyArray_NDIM(array) == layout.ndim &&
         std::equal(layout.shape.begin(), layout.shape.begin() + layout.ndim, PyArray_DIMS(array));
}

// NumPy does the copy: it knows about byte order, and about results that overlap the output.
bool copy_result(PyObject* array, const Operand& operand) {
  const Layout& layout = *operand.layout;
  const Ref output(
      PyArray_NewFromDescr(&PyArray_Type, PyArray_DescrFromType(type_num_of(layout.dtype)),
                           layout.ndim, reinterpret_cast<const npy_intp*>(layout.shape.data()),
                           reinterpret_cast<const npy_intp*>(layout.strides.data()), operand.data,
                           NPY_ARRAY_BEHAVED, nullptr));
  return output && PyArray_CopyInto(as_array(output), reinterpret_cast<PyArrayObject*>(array)) == 0;
}

Status run_host(PyObject* function, const Context& context, const Step& step) {
  constexpr Status kPythonError{.code = Code::kHostError};
  const Ref callable = new_ref(function);
  if (!callable) return Status::bad_plan("a host step must have its callable");
  const Ref inputs = copy_inputs(context, step);
  if (!inputs) return kPythonError;
  const Ref results(
      without_unwinding([&] { return PyObject_CallObject(callable.get(), inputs.get()); }));
  if (!results) return kPythonError;
  const auto count = static_cast<Py_ssize_t>(step.outputs.size());
  if (!PyTuple_Check(results.get()) || PyTuple_GET_SIZE(results.get()) != count) {
    return Status::bad_plan("a host step must return a tuple with one array per output");
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!fits(PyTuple_GET_ITEM(results.get(), i), *context.operand(step.outputs[i]).layout)) {
      return Status::bad_plan("a host step must return arrays of its outputs' shapes and dtypes");
    }
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    const Operand operand = context.operand(step.outputs[i]);
    if (!copy_result(PyTuple_GET_ITEM(results.get(), i), operand)) return kPythonError;
  }
  return {};
}

}  // namespace

Status Caller::call(const Context& context, int step) {
  const bool release = released_ != nullptr;
  hold_gil();
  // No reference may be left when the GIL goes.
  const Status status =
      run_host(core_.loaded.hosts[step].get(), context, context.program().plan.step(step));
  if (release) released_ = PyEval_SaveThread();
  return status;
}

}  // namespace arignote
