// The type Function: what Python calls. The way from the call to Caller::call is kept short, for it
// is what a tiny model pays.
#include <Python.h>

#include <structmember.h>

#include <string_view>

#include "bindings/caller.hpp"
#include "bindings/observers.hpp"
#include "bindings/types.hpp"
#include "bindings/unwinding.hpp"
#include "core/buffer.hpp"
#include "runtime/by_rows.hpp"
#include "runtime/device_visit.hpp"

namespace arignote {

namespace {

struct FunctionObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::unique_ptr<FunctionCore> core;
};

FunctionObject& self_of(PyObject* self) { return *reinterpret_cast<FunctionObject*>(self); }

FunctionCore* core_of(PyObject* self) {
  FunctionCore* core = self_of(self).core.get();
  if (core == nullptr)
    PyErr_SetString(PyExc_RuntimeError, "[Function] __init__ must be called first");
  return core;
}

// --- making one

int function_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"program",        "states",      "returns",
                                      "borrow_outputs", "conversions", nullptr};
  PyObject *program, *states, *returns, *flags, *conversions;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO:Function", const_cast<char**>(names),
                                   &program, &states, &returns, &flags, &conversions)) {
    return -1;
  }
  const LoadedProgram* loaded = loaded_program(program);
  if (loaded == nullptr) return -1;
  try {
    auto core = std::make_unique<FunctionCore>(program, *loaded);
    count_allocation();
    if (!core->take_states(states) || !core->take_returns(returns) || !core->take_outputs(flags) ||
        !core->take_inputs(conversions)) {
      return -1;
    }
    if (self_of(self).core) {
      PyErr_SetString(PyExc_RuntimeError, "[Function] __init__ must be called only once");
      return -1;
    }
    self_of(self).core = std::move(core);
    return 0;
  } catch (...) {
    translate_exception();
    return -1;
  }
}

// --- calling it

Ref run(PyObject* self, FunctionCore& core, PyObject* const* arguments) {
  try {
    const DeviceVisit visit(core.loaded.program.backend);
    std::unique_ptr<Caller> caller = core.take_caller();
    Ref result;
    Profile* const profile = core.profile.load(std::memory_order_acquire);
    if (profile == nullptr) [[likely]] {
      result = caller->call(self, arguments, nullptr, false);
    } else {
      Timer timer(*profile);
      result = caller->call(self, arguments, &timer, false);
    }
    core.give_back(std::move(caller));
    return result;
  } catch (...) {
    translate_exception();
    return nullptr;
  }
}

// Keywords, or another number of arguments than there are inputs: Python sorts them out.
PyObject* call_arranged(PyObject* self, FunctionCore& core, PyObject* args, PyObject* kwargs) {
  const Ref arranged(
      call_method(self, "_arrange", "OO", args, kwargs != nullptr ? kwargs : Py_None));
  if (!arranged) return nullptr;
  if (!PyTuple_Check(arranged.get()) ||
      static_cast<std::size_t>(PyTuple_GET_SIZE(arranged.get())) != core.inputs.size()) {
    PyErr_Format(PyExc_TypeError, "[Function] _arrange must return a tuple of %zu arguments: %R",
                 core.inputs.size(), arranged.get());
    return nullptr;
  }
  return run(self, core, PySequence_Fast_ITEMS(arranged.get())).release();
}

PyObject* function_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  FunctionCore* core = core_of(self);
  if (core == nullptr) return nullptr;
  const bool plain = kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0;
  if (plain && static_cast<std::size_t>(PyTuple_GET_SIZE(args)) == core->inputs.size()) {
    return run(self, *core, PySequence_Fast_ITEMS(args)).release();
  }
  return call_arranged(self, *core, args, plain ? nullptr : kwargs);
}

PyObject* function_vectorcall(PyObject* self, PyObject* const* args, std::size_t nargsf,
                              PyObject* names) {
  FunctionCore* core = core_of(self);
  if (core == nullptr) return nullptr;
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t keywords = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  if (keywords == 0 && static_cast<std::size_t>(count) == core->inputs.size()) [[likely]] {
    return run(self, *core, args).release();
  }
  const Ref tuple(PyTuple_New(count));
  const Ref dict(keywords > 0 ? PyDict_New() : nullptr);
  if (!tuple || (keywords > 0 && !dict)) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Py_INCREF(args[i]);
    PyTuple_SET_ITEM(tuple.get(), i, args[i]);
  }
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    if (PyDict_SetItem(dict.get(), PyTuple_GET_ITEM(names, i), args[count + i]) < 0) return nullptr;
  }
  return call_arranged(self, *core, tuple.get(), dict.get());
}

PyObject* function_run_hooked(PyObject* self, PyObject* args) {
  FunctionCore* core = core_of(self);
  PyObject *arguments, *before, *after;
  if (core == nullptr ||
      !PyArg_ParseTuple(args, "O!OO:_run_hooked", &PyTuple_Type, &arguments, &before, &after)) {
    return nullptr;
  }
  if (static_cast<std::size_t>(PyTuple_GET_SIZE(arguments)) != core->inputs.size()) {
    PyErr_Format(PyExc_TypeError, "[_run_hooked] arguments must be as many as the inputs, %zu: %zd",
                 core->inputs.size(), PyTuple_GET_SIZE(arguments));
    return nullptr;
  }
  try {
    const DeviceVisit visit(core->loaded.program.backend);
    std::unique_ptr<Caller> caller = core->take_caller();
    Hooks hooks(before, after);
    Ref result = caller->call(self, PySequence_Fast_ITEMS(arguments), &hooks, true);
    core->give_back(std::move(caller));
    return result.release();
  } catch (...) {
    translate_exception();
    return nullptr;
  }
}

PyObject* function_loop(PyObject* self, PyObject* args) {
  FunctionCore* core = core_of(self);
  PyObject *arguments, *stacked;
  long long count = 0;
  if (core == nullptr || !PyArg_ParseTuple(args, "O!O!L:_loop", &PyTuple_Type, &arguments,
                                           &PyTuple_Type, &stacked, &count)) {
    return nullptr;
  }
  const auto inputs = static_cast<Py_ssize_t>(core->inputs.size());
  if (PyTuple_GET_SIZE(arguments) != inputs || PyTuple_GET_SIZE(stacked) != inputs || count < 1) {
    PyErr_Format(PyExc_TypeError,
                 "[_loop] must have %zd arguments and flags, and a step: %zd, %zd and %lld", inputs,
                 PyTuple_GET_SIZE(arguments), PyTuple_GET_SIZE(stacked), count);
    return nullptr;
  }
  try {
    const DeviceVisit visit(core->loaded.program.backend);
    std::unique_ptr<Caller> caller = core->take_caller();
    Ref result =
        caller->loop(self, PySequence_Fast_ITEMS(arguments), PySequence_Fast_ITEMS(stacked), count,
                     core->profile.load(std::memory_order_acquire));
    core->give_back(std::move(caller));
    return result.release();
  } catch (...) {
    translate_exception();
    return nullptr;
  }
}

// --- the slow paths of a function that is no subclass

PyObject* function_arrange(PyObject* self, PyObject* args) {
  FunctionCore* core = core_of(self);
  PyObject *positional, *keywords;
  if (core == nullptr ||
      !PyArg_ParseTuple(args, "O!O:_arrange", &PyTuple_Type, &positional, &keywords)) {
    return nullptr;
  }
  return PyErr_Format(PyExc_TypeError,
                      "[Function] must be called with %zu arguments in order: %zd%s",
                      core->inputs.size(), PyTuple_GET_SIZE(positional),
                      keywords == Py_None ? "" : " and keywords");
}

PyObject* function_convert(PyObject*, PyObject* args) {
  Py_ssize_t position = 0;
  PyObject* value;
  if (!PyArg_ParseTuple(args, "nO:_convert", &position, &value)) return nullptr;
  return PyErr_Format(PyExc_TypeError,
                      "[Function] argument %zd must be an array of the input's dtype and rank: %R",
                      position, value);
}

PyObject* function_fail(PyObject*, PyObject* args) {
  const char *kind, *what;
  int step = 0, inner = 0;
  long long position = 0, value = 0, other = 0;
  PyObject* arguments;
  if (!PyArg_ParseTuple(args, "siiLLLsO:_fail", &kind, &step, &inner, &position, &value, &other,
                        &what, &arguments)) {
    return nullptr;
  }
  PyObject* error = std::string_view(kind) == "index" ? PyExc_IndexError : PyExc_RuntimeError;
  if (std::string_view(kind) == "memory") return PyErr_NoMemory();
  return PyErr_Format(error,
                      "[Function] step %d failed (%s %s): position %lld, value %lld, other %lld",
                      step, kind, what, position, value, other);
}

PyObject* function_note_step(PyObject*, PyObject*) { Py_RETURN_NONE; }

// --- profile

PyObject* function_profile(PyObject* self, PyObject* flag) {
  FunctionCore* core = core_of(self);
  const int enable = core == nullptr ? -1 : PyObject_IsTrue(flag);
  if (enable < 0) return nullptr;
  try {
    const std::scoped_lock lock(core->mutex);
    // A call that is running keeps counting into the profile that it began with.
    if (enable != 0) {
      core->profiles.push_back(std::make_unique<Profile>(core->loaded.program.plan.steps.size()));
    }
    core->profile.store(enable != 0 ? core->profiles.back().get() : nullptr,
                        std::memory_order_release);
  } catch (...) {
    translate_exception();
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* function_profile_data(PyObject* self, PyObject*) {
  FunctionCore* core = core_of(self);
  if (core == nullptr) return nullptr;
  Profile empty(core->loaded.program.plan.steps.size());
  const Profile* profile = &empty;
  {
    const std::scoped_lock lock(core->mutex);
    if (!core->profiles.empty()) profile = core->profiles.back().get();
  }
  const Ref steps(PyList_New(0));
  for (const Profile::Times& times : profile->steps) {
    const Ref entry(Py_BuildValue("LL", times.runs.load(), times.nanoseconds.load()));
    if (!steps || !entry || PyList_Append(steps.get(), entry.get()) < 0) return nullptr;
  }
  return Py_BuildValue("{sLsLsO}", "calls", profile->calls.runs.load(), "total_ns",
                       profile->calls.nanoseconds.load(), "steps", steps.get());
}

// --- row blocks

// Nothing is known of kernels that no run has bound.
Ref row_blocks_of(const Context& context) {
  Ref found(PyList_New(0));
  const Plan& plan = context.program().plan;
  for (int id = 0; found && context.is_settled() && id < plan.n_steps(); ++id) {
    const Step& step = plan.step(id);
    const Kernel* const kernel = context.kernel(id);
    if (step.kind != StepKind::kByRows || !step.on_device || kernel == nullptr) continue;
    const Status status = why_apart(*kernel);
    const char* const why = status.ok()                         ? ""
                            : status.code == Code::kOutOfMemory ? "there is no memory for it"
                                                                : status.what;
    const auto classes = static_cast<Py_ssize_t>(classes_in_part(*kernel));
    const Ref entry(Py_BuildValue("isin", id, why, status.step, classes));
    if (!entry || PyList_Append(found.get(), entry.get()) < 0) return nullptr;
  }
  return found;
}

PyObject* function_row_blocks(PyObject* self, PyObject*) {
  FunctionCore* core = core_of(self);
  if (core == nullptr) return nullptr;
  try {
    const DeviceVisit visit(core->loaded.program.backend);
    std::unique_ptr<Caller> caller = core->take_caller();
    Ref found = row_blocks_of(caller->context());
    core->give_back(std::move(caller));
    return found.release();
  } catch (...) {
    translate_exception();
    return nullptr;
  }
}

// --- the type

PyObject* function_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  std::construct_at(&self_of(self).core);
  self_of(self).vectorcall = function_vectorcall;
  return self;
}

int function_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (const FunctionCore* core = self_of(self).core.get()) {
    Py_VISIT(core->program_object.get());
    Py_VISIT(core->states_tuple.get());
    Py_VISIT(core->keys.get());
  }
  return 0;
}

int function_clear(PyObject* self) {
  const std::unique_ptr<FunctionCore> core = std::move(self_of(self).core);
  return 0;
}

void function_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  std::destroy_at(&self_of(self).core);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* function_program(PyObject* self, void*) {
  FunctionCore* core = core_of(self);
  return core == nullptr ? nullptr : new_ref(core->program_object.get()).release();
}

PyObject* function_states(PyObject* self, void*) {
  FunctionCore* core = core_of(self);
  return core == nullptr ? nullptr : new_ref(core->states_tuple.get()).release();
}

PyMemberDef function_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(FunctionObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyGetSetDef function_getset[] = {
    {"program", function_program, nullptr, "The program.", nullptr},
    {"states", function_states, nullptr, "The states, by number.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef function_methods[] = {
    {"_run_hooked", function_run_hooked, METH_VARARGS,
     "_run_hooked($self, arguments, before, after)\n--\n\nCall with hooks around every step."},
    {"_arrange", function_arrange, METH_VARARGS,
     "_arrange($self, args, kwargs)\n--\n\nThe arguments in order; a subclass knows their names."},
    {"_convert", function_convert, METH_VARARGS,
     "_convert($self, position, value)\n--\n\nAn array that fits the input; a subclass knows how."},
    {"_fail", function_fail, METH_VARARGS,
     "_fail($self, kind, step, inner, position, value, other, what, arguments)\n--\n\n"
     "Raises the error of a failed call; a subclass knows better words."},
    {"_loop", function_loop, METH_VARARGS,
     "_loop($self, arguments, stacked, count)\n--\n\nCall many times, with slices of stacks."},
    {"_note_step", function_note_step, METH_VARARGS,
     "_note_step($self, error, step)\n--\n\nNotes where a loop ended; a subclass knows how."},
    {"_row_blocks", function_row_blocks, METH_NOARGS,
     "_row_blocks($self)\n--\n\nHow the device runs the row blocks of the last call."},
    {"profile", function_profile, METH_O,
     "profile($self, enable)\n--\n\nStart (from zero) or stop counting."},
    {"profile_data", function_profile_data, METH_NOARGS,
     "profile_data($self)\n--\n\nCalls, their time, and runs and time of each step."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot function_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("Function(program, states, returns, borrow_outputs, conversions)\n--\n\n"
                       "A program with its states, ready to be called.")},
    {Py_tp_new, reinterpret_cast<void*>(function_new)},
    {Py_tp_init, reinterpret_cast<void*>(function_init)},
    {Py_tp_call, reinterpret_cast<void*>(function_call)},
    {Py_tp_traverse, reinterpret_cast<void*>(function_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(function_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(function_dealloc)},
    {Py_tp_members, function_members},
    {Py_tp_getset, function_getset},
    {Py_tp_methods, function_methods},
    {0, nullptr}};

PyType_Spec function_spec = {"arignote._core.Function", sizeof(FunctionObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                                 Py_TPFLAGS_HAVE_VECTORCALL,
                             function_slots};

}  // namespace

PyObject* make_function_type() { return PyType_FromSpec(&function_spec); }

}  // namespace arignote
