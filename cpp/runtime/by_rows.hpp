// The kernel of a step that runs a program of its own on blocks of rows.
#pragma once

#include <memory>

#include "kernels/kernel.hpp"
#include "runtime/verify.hpp"

namespace arignote {

// ints of the step: for each input of the body the axis along which it is cut, -1 for those that
// every block gets as a whole; then for each output 1 if the blocks' results are added, 0 if they
// are put below each other. Throws PlanError unless the step suits its body.
void verify_by_rows(const std::string& where, const StepSpec& spec, const Program& body);

// `session` is where a body that lies on a device runs.
std::unique_ptr<Kernel> make_by_rows(const StepSpec& spec, const Program& body, Session* session);

// Of such a kernel that is bound, for a body on a device: ok if that runs the body as one kernel,
// else why not, with the step of the body that it hangs on if it is one's.
Status why_apart(const Kernel& by_rows);
// Of how many of its classes that runs the body at a time, on all rows; 0 if it is the rows that it
// cuts.
std::int64_t classes_in_part(const Kernel& by_rows);

}  // namespace arignote
