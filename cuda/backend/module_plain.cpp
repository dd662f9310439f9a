// Outside of tests the module has nothing but what the backend needs.
#include <pybind11/pybind11.h>

namespace arignote::device {

void add_test_functions(pybind11::module_& module);
void add_test_functions(pybind11::module_&) {}

}  // namespace arignote::device
