// What the module tells about itself and the machine, and the few things to set.
#pragma once

#include <pybind11/pybind11.h>

namespace arignote {

void add_info(pybind11::module_& module);

}  // namespace arignote
