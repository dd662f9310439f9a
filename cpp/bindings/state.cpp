#include "bindings/state.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "bindings/types.hpp"
#include "bindings/unwinding.hpp"

namespace arignote {
namespace {

PyTypeObject* state_type = nullptr;

thread_local StateLocks* innermost = nullptr;

StateCell& self_of(PyObject* self) { return reinterpret_cast<StateObject*>(self)->cell; }

}  // namespace

// --- locks

bool StateLocks::take(std::span<const StateUse> uses) {
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (uses[i].cell->lock.try_lock(uses[i].exclusive) || wait(uses[i])) continue;
    for (const StateUse& use : uses.first(i)) use.cell->lock.unlock(use.exclusive);
    return false;
  }
  taken_ = uses;
  if (!uses.empty()) {
    outer_ = innermost;
    innermost = this;
  }
  return true;
}

bool StateLocks::wait(const StateUse& use) {
  const Held held = held_by_this_thread(use.cell);
  if (held == Held::kNo) {
    const GilRelease release;
    use.cell->lock.lock(use.exclusive);
    return true;
  }
  if (held == Held::kShared && !use.exclusive) {
    use.cell->lock.share_again();
    return true;
  }
  PyErr_SetString(PyExc_RuntimeError,
                  "[state] must not be used from inside a call that is updating it, nor be updated "
                  "from inside one that is using it");
  return false;
}

StateLocks::Held StateLocks::held_by_this_thread(const StateCell* cell) {
  Held held = Held::kNo;
  for (const StateLocks* call = innermost; call != nullptr; call = call->outer_) {
    for (const StateUse& use : call->taken_) {
      if (use.cell != cell) continue;
      if (use.exclusive) return Held::kExclusive;
      held = Held::kShared;
    }
  }
  return held;
}

void StateLocks::release() {
  if (taken_.empty()) return;
  for (const StateUse& use : taken_) use.cell->lock.unlock(use.exclusive);
  taken_ = {};
  innermost = outer_;
}

namespace {

// --- the type

bool check_array(PyObject* object) {
  if (!PyArray_Check(object)) {
    PyErr_Format(PyExc_TypeError, "[State] array must be a NumPy array: %s",
                 Py_TYPE(object)->tp_name);
    return false;
  }
  PyArray_Descr* descr = PyArray_DESCR(reinterpret_cast<PyArrayObject*>(object));
  if (dtype_of(descr)) return true;
  PyErr_Format(PyExc_TypeError, "[State] array must have a dtype that plans know: %S",
               reinterpret_cast<PyObject*>(descr));
  return false;
}

// The array itself if it may and can be used as it is, else an aligned copy; on a device always.
Ref adopt(PyObject* object, Backend* backend, bool borrow) {
  auto* const array = reinterpret_cast<PyArrayObject*>(object);
  if (backend != nullptr) return uploaded(*backend, array);
  if (borrow && is_behaved(array)) return new_ref(object);
  const DType dtype = *dtype_of(PyArray_DESCR(array));
  Ref copy = new_aligned_array(dtype, PyArray_NDIM(array), PyArray_DIMS(array));
  if (copy && PyArray_CopyInto(as_array(copy), array) < 0) return nullptr;
  return copy;
}

PyObject* state_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"array", "borrow", "device", nullptr};
  PyObject* object = nullptr;
  PyObject* device = nullptr;
  int borrow = 0;
  Backend* backend = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|pO:State", const_cast<char**>(names), &object,
                                   &borrow, &device) ||
      !check_array(object) || !backend_from(device, backend)) {
    return nullptr;
  }
  Ref array = adopt(object, backend, borrow != 0);
  if (!array) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  StateCell* cell = std::construct_at(&self_of(self));
  cell->dtype = *dtype_of(PyArray_DESCR(as_array(array)));
  cell->backend = backend;
  cell->borrows = array.get() == object;
  cell->array = std::move(array);
  return self;
}

bool check_fits(StateCell& cell, PyObject* object) {
  if (!check_array(object)) return false;
  auto* const array = reinterpret_cast<PyArrayObject*>(object);
  const Ref present = cell.current();
  if (dtype_of(PyArray_DESCR(array)) == cell.dtype &&
      PyArray_NDIM(array) == PyArray_NDIM(as_array(present))) {
    return true;
  }
  PyErr_Format(PyExc_ValueError,
               "[State] array must have the dtype and ndim of the state, %S and %d: %S and %d",
               reinterpret_cast<PyObject*>(PyArray_DESCR(as_array(present))),
               PyArray_NDIM(as_array(present)), reinterpret_cast<PyObject*>(PyArray_DESCR(array)),
               PyArray_NDIM(array));
  return false;
}

// A state and what it is to hold next, which is what it held before once it is replaced.
struct Replacement {
  StateCell* cell = nullptr;
  Ref array;
  bool is_borrowed = false;
};

bool add_replacement(std::vector<Replacement>& list, StateCell* cell, PyObject* object,
                     bool borrow) {
  if (cell == nullptr || !check_fits(*cell, object)) return false;
  Ref array = adopt(object, cell->backend, borrow);
  if (!array) return false;
  const bool is_borrowed = array.get() == object;
  list.push_back({cell, std::move(array), is_borrowed});
  return true;
}

// All under their locks, so that no call sees a part of them.
bool replace_all(std::span<Replacement> list) {
  std::vector<StateUse> uses;
  for (const Replacement& item : list) uses.push_back({item.cell, true});
  std::ranges::sort(uses, {}, &StateUse::cell);
  if (std::ranges::adjacent_find(uses, {}, &StateUse::cell) != uses.end()) {
    PyErr_SetString(PyExc_ValueError, "[State] states must be different ones");
    return false;
  }
  StateLocks locks;
  if (!locks.take(uses)) return false;
  for (Replacement& item : list) {
    item.array = item.cell->replace(std::move(item.array), item.is_borrowed);
    item.cell->version.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

PyObject* state_set(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"array", "borrow", nullptr};
  PyObject* object = nullptr;
  int borrow = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:set", const_cast<char**>(names), &object,
                                   &borrow)) {
    return nullptr;
  }
  try {
    std::vector<Replacement> list;
    if (!add_replacement(list, &self_of(self), object, borrow != 0) || !replace_all(list)) {
      return nullptr;
    }
  } catch (...) {
    translate_exception();
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* state_set_all(PyObject*, PyObject* args) {
  PyObject *states, *arrays;
  if (!PyArg_ParseTuple(args, "O!O!:set_all", &PyTuple_Type, &states, &PyTuple_Type, &arrays)) {
    return nullptr;
  }
  const Py_ssize_t count = PyTuple_GET_SIZE(states);
  if (PyTuple_GET_SIZE(arrays) != count) {
    return PyErr_Format(PyExc_ValueError, "[State] arrays must be as many as the states, %zd: %zd",
                        count, PyTuple_GET_SIZE(arrays));
  }
  try {
    std::vector<Replacement> list;
    for (Py_ssize_t i = 0; i < count; ++i) {
      StateCell* cell = state_cell(PyTuple_GET_ITEM(states, i));
      if (!add_replacement(list, cell, PyTuple_GET_ITEM(arrays, i), true)) return nullptr;
    }
    if (!replace_all(list)) return nullptr;
  } catch (...) {
    translate_exception();
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* state_copy(PyObject* self, PyObject*) {
  StateCell& cell = self_of(self);
  const StateUse use{&cell, false};
  StateLocks locks;
  if (!locks.take({&use, 1})) return nullptr;
  if (cell.backend != nullptr) return downloaded(*cell.backend, as_array(cell.array)).release();
  return PyArray_NewCopy(as_array(cell.array), NPY_CORDER);
}

PyObject* state_array(PyObject* self, void*) {
  StateCell& cell = self_of(self);
  return cell.backend != nullptr ? state_copy(self, nullptr) : cell.current().release();
}

PyObject* state_shape(PyObject* self, void*) {
  return PyObject_GetAttrString(self_of(self).current().get(), "shape");
}

PyObject* state_version(PyObject* self, void*) {
  return PyLong_FromLongLong(self_of(self).version.load(std::memory_order_relaxed));
}

// A borrowed array may be of a subclass that points back here.
int state_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(self_of(self).array.get());
  return 0;
}

void state_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  std::destroy_at(&self_of(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyGetSetDef state_getset[] = {
    {"array", state_array, nullptr,
     "The array itself, the same object until a set or a resizing update replaces it; of a device, "
     "a copy.",
     nullptr},
    {"shape", state_shape, nullptr, "The shape of the array.", nullptr},
    {"version", state_version, nullptr, "Counts the sets and the updates.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef state_methods[] = {
    {"set", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(state_set)),
     METH_VARARGS | METH_KEYWORDS,
     "set($self, array, borrow=False)\n--\n\nReplace the value by one of equal dtype and ndim."},
    {"set_all", state_set_all, METH_VARARGS | METH_STATIC,
     "set_all(states, arrays)\n--\n\nReplace the values of all, or of none."},
    {"copy", state_copy, METH_NOARGS,
     "copy($self)\n--\n\nA fresh copy, never torn by a call that is just updating the state."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot state_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("State(array, borrow=False, device=None)\n--\n\nThe storage of a shared "
                       "variable.")},
    {Py_tp_new, reinterpret_cast<void*>(state_new)},
    {Py_tp_traverse, reinterpret_cast<void*>(state_traverse)},
    {Py_tp_dealloc, reinterpret_cast<void*>(state_dealloc)},
    {Py_tp_getset, state_getset},
    {Py_tp_methods, state_methods},
    {0, nullptr}};

PyType_Spec state_spec = {"arignote._core.State", sizeof(StateObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                          state_slots};

}  // namespace

StateCell* state_cell(PyObject* object) {
  if (Py_IS_TYPE(object, state_type)) return &self_of(object);
  PyErr_Format(PyExc_TypeError, "[Function] states must be of type State: %s",
               Py_TYPE(object)->tp_name);
  return nullptr;
}

PyObject* make_state_type() {
  PyObject* type = PyType_FromSpec(&state_spec);
  state_type = reinterpret_cast<PyTypeObject*>(type);
  return type;
}

}  // namespace arignote
