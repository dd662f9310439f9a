// Steps that run together, as one kernel.
#pragma once

#include <memory>

#include "kernels/kernel.hpp"

namespace arignote {
struct Program;
}

namespace arignote::device {

class Device;

// Of a step that runs this body on blocks of rows. It refuses layouts for which it is no use.
std::unique_ptr<Kernel> make_row_block(const StepSpec& step, const Program& body, Device& device);

}  // namespace arignote::device
