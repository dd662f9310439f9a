#include "bindings/device.hpp"

#include <map>
#include <memory>
#include <mutex>

#include "bindings/unwinding.hpp"
#include "runtime/device_memory.hpp"
#include "runtime/device_visit.hpp"

namespace arignote {
namespace {

// Copies outside of calls, one at a time. Never destroyed: the driver may be gone by then.
class Transfers {
 public:
  static Transfers& of(Backend& backend) {
    static std::mutex mutex;
    static auto& all = *new std::map<Backend*, Transfers>;
    const std::scoped_lock lock(mutex);
    Transfers& own = all[&backend];
    own.backend_ = &backend;
    return own;
  }

  // work(session) queues something and this waits for it.
  template <class Work>
  Status run(Work&& work) {
    const std::scoped_lock lock(mutex_);
    if (!session_) {
      if (const Status status = backend_->open(session_); !status.ok()) return status;
    }
    const Status status = work(*session_);
    int step = -1;
    const Status end = session_->synchronise(step);
    return status.ok() ? end : status;
  }

 private:
  std::mutex mutex_;
  Backend* backend_ = nullptr;
  std::unique_ptr<Session> session_;
};

template <class Work>
Status transfer(Backend& backend, Work&& work) {
  const GilRelease release;
  const DeviceVisit visit(&backend);
  return Transfers::of(backend).run(work);
}

Ref checked(Ref result, const Status& status) {
  if (status.ok()) return result;
  if (status.code == Code::kOutOfMemory) {
    PyErr_SetString(PyExc_MemoryError, "[device] there is no memory for a transfer");
  } else {
    set_device_error(DeviceFailure(status.what));
  }
  return nullptr;
}

std::byte* data_of(PyArrayObject* array) { return static_cast<std::byte*>(PyArray_DATA(array)); }

std::size_t bytes_of(PyArrayObject* array) {
  return static_cast<std::size_t>(PyArray_NBYTES(array));
}

Ref like(Backend& backend, PyArrayObject* array) {
  return new_device_array(backend, *dtype_of(PyArray_DESCR(array)), PyArray_NDIM(array),
                          PyArray_DIMS(array));
}

}  // namespace

bool backend_from(PyObject* object, Backend*& backend) {
  backend = nullptr;
  if (object == nullptr || object == Py_None) return true;
  if (!PyCapsule_CheckExact(object)) {
    PyErr_Format(PyExc_TypeError, "[device] a device must be a capsule of its module, or None: %s",
                 Py_TYPE(object)->tp_name);
    return false;
  }
  if (PyCapsule_IsValid(object, kBackendCapsule) == 0) {
    PyErr_SetString(PyExc_ImportError,
                    "[device] the device's module must come from the same build as arignote._core");
    return false;
  }
  backend = static_cast<Backend*>(PyCapsule_GetPointer(object, kBackendCapsule));
  return true;
}

void set_device_error(const DeviceFailure& failure) {
  const Ref errors(without_unwinding([] { return PyImport_ImportModule("arignote.errors"); }));
  const Ref type(errors ? PyObject_GetAttrString(errors.get(), "DeviceError") : nullptr);
  if (type) PyErr_SetString(type.get(), failure.what());
}

Ref new_device_array(Backend& backend, DType dtype, int ndim, const npy_intp* shape) {
  std::size_t bytes = size_of(dtype);
  for (int axis = 0; axis < ndim; ++axis) bytes *= static_cast<std::size_t>(shape[axis]);
  auto memory = std::make_unique<DeviceMemory>(&backend);
  if (!memory->reserve(bytes)) {
    // A driver that has failed for good has no memory to give either.
    const Status lost = transfer(backend, [](Session&) { return Status{}; });
    if (lost.code == Code::kDeviceError) return checked(nullptr, lost);
    PyErr_Format(PyExc_MemoryError, "[device] there are no %zu bytes for an array", bytes);
    return nullptr;
  }
  Ref array(PyArray_NewFromDescr(&PyArray_Type, PyArray_DescrFromType(type_num_of(dtype)), ndim,
                                 shape, nullptr, memory->data(), NPY_ARRAY_CARRAY, nullptr));
  if (!array) return nullptr;
  PyObject* owner = PyCapsule_New(memory.get(), "arignote.device memory", [](PyObject* capsule) {
    delete static_cast<DeviceMemory*>(PyCapsule_GetPointer(capsule, "arignote.device memory"));
  });
  if (owner == nullptr) return nullptr;
  static_cast<void>(memory.release());
  return PyArray_SetBaseObject(as_array(array), owner) == 0 ? std::move(array) : nullptr;
}

Ref uploaded(Backend& backend, PyArrayObject* array) {
  const Ref dense(PyArray_FROM_OF(reinterpret_cast<PyObject*>(array), NPY_ARRAY_CARRAY_RO));
  if (!dense) return nullptr;
  Ref result = like(backend, array);
  if (!result) return nullptr;
  const Status status = transfer(backend, [&](Session& session) {
    return session.upload(data_of(as_array(dense)), data_of(as_array(result)),
                          bytes_of(as_array(dense)));
  });
  return checked(std::move(result), status);
}

Ref downloaded(Backend& backend, PyArrayObject* array) {
  Ref result =
      new_aligned_array(*dtype_of(PyArray_DESCR(array)), PyArray_NDIM(array), PyArray_DIMS(array));
  if (!result) return nullptr;
  const Status status = transfer(backend, [&](Session& session) {
    return session.download(data_of(array), data_of(as_array(result)), bytes_of(array));
  });
  return checked(std::move(result), status);
}

Ref duplicated(Backend& backend, PyArrayObject* array) {
  Ref result = like(backend, array);
  if (!result) return nullptr;
  return checked(std::move(result), copy_on_device(backend, array, as_array(result)));
}

Status copy_on_device(Backend& backend, PyArrayObject* from, PyArrayObject* to) {
  return transfer(backend, [&](Session& session) {
    return session.copy(data_of(from), data_of(to), bytes_of(from));
  });
}

}  // namespace arignote
