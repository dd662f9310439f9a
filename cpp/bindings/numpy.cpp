#include "bindings/numpy.hpp"

#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <new>

#include "bindings/device.hpp"
#include "bindings/output_memory.hpp"
#include "core/buffer.hpp"
#include "kernels/transfer.hpp"
#include "runtime/binding.hpp"
#include "runtime/verify.hpp"

namespace arignote {
namespace {

// That of bfloat16 is only known at run time.
constexpr std::array<int, std::size(kDTypeNames)> kTypeNums = {
    NPY_BOOL,   NPY_INT8,    NPY_INT16,   NPY_INT32,     NPY_INT64,
    NPY_UINT8,  NPY_UINT16,  NPY_UINT32,  NPY_UINT64,    NPY_FLOAT16,
    kNoTypeNum, NPY_FLOAT32, NPY_FLOAT64, NPY_COMPLEX64, NPY_COMPLEX128};

constexpr std::uint8_t kNoDType = 255;

// By type number. NumPy has several C types of one size (long and long long): they are one dtype
// here.
constexpr auto kDTypes = [] {
  std::array<std::uint8_t, NPY_HALF + 1> dtypes{};
  dtypes.fill(kNoDType);
  for (std::size_t i = 0; i < kTypeNums.size(); ++i) {
    if (kTypeNums[i] != kNoTypeNum) dtypes[kTypeNums[i]] = static_cast<std::uint8_t>(i);
  }
  const auto alias = [&](int type_num, std::size_t size, bool is_signed) {
    const DType narrow = is_signed ? DType::kInt32 : DType::kUInt32;
    const DType wide = is_signed ? DType::kInt64 : DType::kUInt64;
    dtypes[type_num] = static_cast<std::uint8_t>(size == 4 ? narrow : wide);
  };
  alias(NPY_INT, sizeof(int), true);
  alias(NPY_UINT, sizeof(int), false);
  alias(NPY_LONG, sizeof(long), true);
  alias(NPY_ULONG, sizeof(long), false);
  alias(NPY_LONGLONG, sizeof(long long), true);
  alias(NPY_ULONGLONG, sizeof(long long), false);
  return dtypes;
}();

// What ml_dtypes registered its bfloat16 under; kNoTypeNum if it has not been imported.
int type_num_of_bfloat16() {
  static std::atomic<int> known{kNoTypeNum};
  if (known.load(std::memory_order_relaxed) != kNoTypeNum) return known;
  const Ref name(PyUnicode_FromString("ml_dtypes"));
  const Ref module(name ? PyImport_GetModule(name.get()) : nullptr);
  const Ref type(module ? PyObject_GetAttrString(module.get(), "bfloat16") : nullptr);
  PyArray_Descr* descr = nullptr;
  if (type && PyArray_DescrConverter(type.get(), &descr) != 0) {
    known = descr->type_num;
    Py_DECREF(descr);
  }
  PyErr_Clear();
  return known;
}

// Empty if that is more than there can be.
std::optional<npy_intp> bytes_of(npy_intp item, int ndim, const npy_intp* shape) {
  npy_intp bytes = item;
  for (int axis = 0; axis < ndim; ++axis) {
    if (__builtin_mul_overflow(bytes, shape[axis], &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace

int type_num_of(DType dtype) {
  return dtype == DType::kBFloat16 ? type_num_of_bfloat16()
                                   : kTypeNums[static_cast<std::size_t>(dtype)];
}

std::optional<DType> dtype_of(const PyArray_Descr* descr) {
  const int type_num = descr->type_num;
  if (PyTypeNum_ISUSERDEF(type_num)) {
    if (type_num != type_num_of_bfloat16()) return std::nullopt;
    return DType::kBFloat16;
  }
  if (type_num < 0 || type_num > NPY_HALF || kDTypes[type_num] == kNoDType) return std::nullopt;
  return static_cast<DType>(kDTypes[type_num]);
}

std::optional<DType> dtype_of_scalar(const PyTypeObject* type) {
  // NumPy's scalar types live as long as the process.
  static const auto types = [] {
    std::array<PyObject*, kDTypes.size()> objects{};
    for (std::size_t number = 0; number < objects.size(); ++number) {
      if (kDTypes[number] != kNoDType) {
        objects[number] = PyArray_TypeObjectFromType(static_cast<int>(number));
      }
    }
    return objects;
  }();
  for (std::size_t number = 0; number < types.size(); ++number) {
    if (types[number] == reinterpret_cast<const PyObject*>(type)) {
      return static_cast<DType>(kDTypes[number]);
    }
  }
  return std::nullopt;
}

MemoryRange range_of(PyArrayObject* array) {
  const auto* const data = static_cast<const std::byte*>(PyArray_DATA(array));
  if (PyArray_SIZE(array) == 0) return {data, data};
  auto range = MemoryRange::of(data, static_cast<std::size_t>(PyArray_ITEMSIZE(array)));
  for (int axis = 0; axis < PyArray_NDIM(array); ++axis) {
    const npy_intp reach = (PyArray_DIM(array, axis) - 1) * PyArray_STRIDE(array, axis);
    (reach < 0 ? range.begin : range.end) += reach;
  }
  return range;
}

Ref descr_of(DType dtype) {
  return Ref(reinterpret_cast<PyObject*>(PyArray_DescrFromType(type_num_of(dtype))));
}

Ref new_array(PyObject* descr, int ndim, const npy_intp* shape) {
  auto* const dtype = reinterpret_cast<PyArray_Descr*>(descr);
  const auto make = [&] {
    Py_INCREF(descr);  // the array takes it over
    return Ref(
        PyArray_NewFromDescr(&PyArray_Type, dtype, ndim, shape, nullptr, nullptr, 0, nullptr));
  };
  const auto bytes = bytes_of(PyDataType_ELSIZE(dtype), ndim, shape);
  if (!kKeepsMemory || bytes < static_cast<npy_intp>(kLargeArray)) return make();
  const KeepingMemory keeping;
  return keeping.ok() ? make() : nullptr;
}

Ref new_array(PyObject* descr, const Layout& layout) {
  return new_array(descr, layout.ndim, reinterpret_cast<const npy_intp*>(layout.shape.data()));
}

Ref new_stack(PyObject* descr, npy_intp count, const Layout& layout) {
  std::array<npy_intp, kMaxDims + 1> shape{count};
  std::copy(layout.shape.begin(), layout.shape.begin() + layout.ndim, shape.begin() + 1);
  return new_array(descr, layout.ndim + 1, shape.data());
}

// A window on a larger block of bytes, which is its base: NumPy frees it, and refuses to resize it.
Ref new_aligned_array(DType dtype, int ndim, const npy_intp* shape) {
  const auto bytes = bytes_of(static_cast<npy_intp>(size_of(dtype)), ndim, shape);
  npy_intp room = 0;
  if (!bytes || __builtin_add_overflow(*bytes, static_cast<npy_intp>(kAlignment), &room)) {
    PyErr_NoMemory();
    return nullptr;
  }
  Ref block(PyArray_SimpleNew(1, &room, NPY_UINT8));
  if (!block) return nullptr;
  auto address = reinterpret_cast<std::uintptr_t>(PyArray_DATA(as_array(block)));
  const std::uintptr_t gap = align_up(address) - address;
  Ref array(PyArray_NewFromDescr(&PyArray_Type, PyArray_DescrFromType(type_num_of(dtype)), ndim,
                                 shape, nullptr, PyArray_BYTES(as_array(block)) + gap,
                                 NPY_ARRAY_CARRAY, nullptr));
  if (!array || PyArray_SetBaseObject(as_array(array), block.release()) < 0) return nullptr;
  return array;
}

Ref copy_elements(const std::byte* data, const Layout& layout) {
  Ref array = new_array(descr_of(layout.dtype).get(), layout);
  if (!array) return nullptr;
  Layout target = layout;
  make_contiguous(target);
  Transfer transfer(Update::kSet, layout.dtype);
  if (transfer.plan(target, layout)) {
    transfer.run(static_cast<std::byte*>(PyArray_DATA(as_array(array))), data);
  }
  return array;
}

void translate_exception() {
  try {
    throw;
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const pybind11::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const DeviceFailure& error) {
    set_device_error(error);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

}  // namespace arignote
