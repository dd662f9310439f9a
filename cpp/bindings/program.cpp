#include "bindings/program.hpp"

#include <utility>

#include "bindings/device.hpp"
#include "bindings/types.hpp"

namespace arignote {
namespace {

PyTypeObject* program_type = nullptr;

LoadedProgram& self_of(PyObject* self) { return *reinterpret_cast<ProgramObject*>(self)->loaded; }

PyObject* program_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"spec", "device", nullptr};
  PyObject* spec = nullptr;
  PyObject* device = nullptr;
  Backend* backend = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|O:Program", const_cast<char**>(names),
                                   &PyDict_Type, &spec, &device) ||
      !backend_from(device, backend)) {
    return nullptr;
  }
  std::unique_ptr<LoadedProgram> loaded;
  try {
    loaded = load_spec(spec, backend);
  } catch (...) {
    translate_exception();
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  std::construct_at(&reinterpret_cast<ProgramObject*>(self)->loaded, std::move(loaded));
  return self;
}

int program_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const auto& loaded = reinterpret_cast<ProgramObject*>(self)->loaded;
  if (loaded) {
    for (const Ref& host : loaded->hosts) Py_VISIT(host.get());
  }
  return 0;
}

int program_clear(PyObject* self) {
  for (Ref& host : self_of(self).hosts) host.reset();
  return 0;
}

void program_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  std::destroy_at(&reinterpret_cast<ProgramObject*>(self)->loaded);
  type->tp_free(self);
  Py_DECREF(type);
}

template <auto Member>
PyObject* count_of(PyObject* self, void*) {
  return PyLong_FromSize_t((self_of(self).program.plan.*Member).size());
}

PyGetSetDef program_getset[] = {
    {"n_inputs", count_of<&Plan::input_buffers>, nullptr, "Number of inputs.", nullptr},
    {"n_states", count_of<&Plan::state_buffers>, nullptr, "Number of states.", nullptr},
    {"n_steps", count_of<&Plan::steps>, nullptr, "Number of steps.", nullptr},
    {"n_outputs", count_of<&Plan::outputs>, nullptr, "Number of outputs.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot program_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("Program(spec, device=None)\n--\n\nA plan, verified and loaded.")},
    {Py_tp_new, reinterpret_cast<void*>(program_new)},
    {Py_tp_traverse, reinterpret_cast<void*>(program_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(program_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(program_dealloc)},
    {Py_tp_getset, program_getset},
    {0, nullptr}};

PyType_Spec program_spec = {"arignote._core.Program", sizeof(ProgramObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                            program_slots};

}  // namespace

PyObject* make_program_type() {
  PyObject* type = PyType_FromSpec(&program_spec);
  program_type = reinterpret_cast<PyTypeObject*>(type);
  return type;
}

const LoadedProgram* loaded_program(PyObject* object) {
  if (Py_IS_TYPE(object, program_type)) return &self_of(object);
  PyErr_Format(PyExc_TypeError, "[Function] program must be a Program: %s",
               Py_TYPE(object)->tp_name);
  return nullptr;
}

}  // namespace arignote
