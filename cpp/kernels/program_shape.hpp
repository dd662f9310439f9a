// The shapes of an elementwise program's operands: what any backend that runs it must see to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/view.hpp"
#include "kernels/program.hpp"

namespace arignote {

// Leaves the common shape of the inputs. False if there is none.
bool broadcast(const ElementwiseProgram& program, std::span<const Layout> inputs,
               std::vector<std::int64_t>& shape);

// Whether an output has that shape, less reduced axes, and lies as the inputs that it overwrites.
Status check_output(const ElementwiseProgram& program, std::size_t number,
                    std::span<const Layout> inputs, const Layout& output,
                    std::span<const std::int64_t> shape);

// Outputs that reduce the same axes, and those that reduce none, are made in one pass. The last
// pass has the latter: they may overwrite inputs.
std::vector<std::vector<int>> group_outputs(const ElementwiseProgram& program,
                                            std::span<const std::int64_t> shape);

}  // namespace arignote
