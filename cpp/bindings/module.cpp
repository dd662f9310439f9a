// The module arignote._core: three hand-written types, and the functions of info.cpp.
#define ARN_IMPORTS_NUMPY
#include <pybind11/pybind11.h>

#include "bindings/info.hpp"
#include "bindings/numpy.hpp"
#include "bindings/types.hpp"

namespace py = pybind11;

namespace {

void add_type(py::module_& module, const char* name, PyObject* type) {
  if (type == nullptr) throw py::error_already_set();
  module.add_object(name, py::reinterpret_steal<py::object>(type));
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  if (_import_array() < 0) throw py::error_already_set();
  module.doc() = "The compiled runtime. Only arignote.run.native imports it.";
  add_type(module, "Program", arignote::make_program_type());
  add_type(module, "State", arignote::make_state_type());
  add_type(module, "Function", arignote::make_function_type());
  arignote::add_info(module);
}
