// Python and NumPy as the bindings use them: owned references, dtypes, arrays.
#pragma once

#include <Python.h>

#define PY_ARRAY_UNIQUE_SYMBOL arignote_numpy_api
#ifndef ARN_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "core/memory_range.hpp"
#include "core/view.hpp"
#include "runtime/frame.hpp"

namespace arignote {

static_assert(sizeof(npy_intp) == sizeof(std::int64_t), "shapes are read as 64-bit integers");

// An owned reference, null when a call has failed and set a Python error.
struct Release {
  void operator()(PyObject* object) const { Py_DECREF(object); }
};
using Ref = std::unique_ptr<PyObject, Release>;

inline Ref new_ref(PyObject* object) {
  Py_XINCREF(object);
  return Ref(object);
}

inline PyArrayObject* as_array(const Ref& array) {
  return reinterpret_cast<PyArrayObject*>(array.get());
}

// NumPy's number of a dtype: kNoTypeNum for bfloat16 as long as nobody has imported ml_dtypes.
inline constexpr int kNoTypeNum = -1;
int type_num_of(DType dtype);
std::optional<DType> dtype_of(const PyArray_Descr* descr);
// Of a NumPy scalar, by its exact type.
std::optional<DType> dtype_of_scalar(const PyTypeObject* type);

// Aligned for its dtype and in native byte order: what kernels read.
inline bool is_behaved(PyArrayObject* array) {
  return PyArray_ISALIGNED(array) && PyArray_ISNOTSWAPPED(array);
}

inline Source source_of(PyArrayObject* array) {
  return {.data = static_cast<std::byte*>(PyArray_DATA(array)),
          .shape = reinterpret_cast<const std::int64_t*>(PyArray_DIMS(array)),
          .strides = reinterpret_cast<const std::int64_t*>(PyArray_STRIDES(array))};
}

// The bytes between the lowest and the highest that an array reaches.
MemoryRange range_of(PyArrayObject* array);

Ref descr_of(DType dtype);

// A new C-contiguous array of NumPy's dtype `descr`.
Ref new_array(PyObject* descr, int ndim, const npy_intp* shape);
Ref new_array(PyObject* descr, const Layout& layout);
// One of so many arrays one behind the other, along a further axis, the first.
Ref new_stack(PyObject* descr, npy_intp count, const Layout& layout);
// One that starts at a multiple of 64 bytes.
Ref new_aligned_array(DType dtype, int ndim, const npy_intp* shape);

// A new array with a copy of the strided elements at `data`.
Ref copy_elements(const std::byte* data, const Layout& layout);

// Turns the C++ exception that is being handled into a Python error.
void translate_exception();

}  // namespace arignote
