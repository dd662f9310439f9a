// The type Program: a loaded plan with the Python objects it needs.
#pragma once

#include <vector>

#include "bindings/numpy.hpp"
#include "runtime/verify.hpp"

namespace arignote {

struct LoadedProgram {
  Program program;
  std::vector<Ref> hosts;      // by step, null but for host steps
  std::vector<Ref> constants;  // the arrays that the plan's constants point into
};

struct ProgramObject {
  PyObject_HEAD std::unique_ptr<LoadedProgram> loaded;
};

// Reads a spec; throws PlanError, or pybind11's exceptions. Null for a backend: all of it is for
// the CPU.
std::unique_ptr<LoadedProgram> load_spec(PyObject* spec, Backend* backend);

// Null, with a TypeError set, if the object is no Program.
const LoadedProgram* loaded_program(PyObject* object);

}  // namespace arignote
