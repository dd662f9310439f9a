// An elementwise program as the device's interpreter runs it: operations on slots, of which a value
// has one only as long as somebody will read it.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/elementwise.hpp"
#include "kernels/program.hpp"

namespace arignote::device {

struct ProgramCode {
  std::vector<Operation> operations;
  std::vector<int> result_slots;  // by output: where its value is at the end
  int n_slots = 0;
};

// Operands of the program are its inputs, then those outputs that are not reduced, in their order.
// Status is bad_plan for a program with too many of something.
Status write_code(const ElementwiseProgram& program, ProgramCode& code);

// Of a block reduction.
Reduction reduction_of(std::string_view name);

}  // namespace arignote::device
