// The hand-written types of the module. Each make_… returns a new reference to the type, or null
// with a Python error set.
#pragma once

#include "bindings/numpy.hpp"

namespace arignote {

PyObject* make_program_type();
PyObject* make_state_type();
PyObject* make_function_type();

}  // namespace arignote
