// Source that computes one elementwise program, laid out in one way, as the interpreter does.
#pragma once

#include <string>
#include <vector>

#include "backend/program_axes.hpp"
#include "backend/program_code.hpp"

namespace arignote::device {

// The kernel's name. Its arguments are ProgramArgs, or ReductionArgs and ReducedOutputs.
inline constexpr const char* kProgramKernel = "elementwise_program";

struct ProgramSource {
  std::string text;
  int count = 1;  // so many elements are a thread's, where nothing is reduced
};

// Of the lengths of the axes and the strides only what follows is in the source, so that it serves
// many shapes: how many axes there are; whether 32 bits can number the elements; which operands are
// dense or repeated along the last axis.
ProgramSource write_source(const ProgramCode& code, const ProgramAxes& axes,
                           const std::vector<ReducedValue>& reduced);

}  // namespace arignote::device
