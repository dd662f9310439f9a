// Arrays of a device, as Python's side keeps them: NumPy knows their shape, and only the device
// their elements. They never reach the user.
#pragma once

#include "bindings/numpy.hpp"
#include "runtime/backend.hpp"

namespace arignote {

// The backend in a capsule that a backend's module has made; null for None. False, with a Python
// error set, if the object is neither.
bool backend_from(PyObject* object, Backend*& backend);

// Makes a failure the Python error, as calls do theirs: an arignote.errors.DeviceError.
void set_device_error(const DeviceFailure& failure);

// New memory, contiguous, that goes with the array. Null with a Python error set, as from the next
// three.
Ref new_device_array(Backend& backend, DType dtype, int ndim, const npy_intp* shape);
// The elements of an array of the host's, copied to one of the device's, and back.
Ref uploaded(Backend& backend, PyArrayObject* array);
Ref downloaded(Backend& backend, PyArrayObject* array);
// A copy that is the device's, too.
Ref duplicated(Backend& backend, PyArrayObject* array);
// Between two of the device's arrays of one dtype and shape.
Status copy_on_device(Backend& backend, PyArrayObject* from, PyArrayObject* to);

}  // namespace arignote
