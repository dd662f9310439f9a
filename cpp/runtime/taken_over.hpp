// Steps that another one runs in its own: it makes what they read part by part, and each part is
// read as soon as it is there. So the whole of it needs no memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "kernels/kernel.hpp"
#include "runtime/verify.hpp"

namespace arignote {

struct TakenOver {
  int step = 0;
  int by = 0;  // an earlier one
  int buffer = 0;  // what the one reads of the other
};

// In the order in which each kernel was asked. `kernels` are those of the segment's steps, bound to
// `layouts`.
std::vector<TakenOver> find_taken_over(const Program& program, const Segment& segment,
                                       std::span<const Layout> layouts,
                                       std::span<const std::unique_ptr<Kernel>> kernels);

}  // namespace arignote
