// What the kernels of a body can do for all blocks of rows at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/row_sums.hpp"

namespace arignote {

// A kernel of the body that works out something once for all blocks.
struct Prepared {
  int step;
  std::size_t input;  // of the kernel
  int number;         // of the body's input
  int rows;           // of the one that its other operand is, or -1
  std::size_t bytes;
};

struct Talents {
  std::vector<Prepared> prepared;
  std::vector<Adder> adders;
};

// Of the kernels that a context has bound. `cut` has the axis of each input along which it is cut,
// -1 for those that every block gets as a whole; `is_sum` tells of outputs that are added up.
Talents find_talents(const Program& body, const Context& context, std::span<const std::int64_t> cut,
                     std::span<const std::int64_t> is_sum);

// Whether the kernels of another context have all of them.
bool has_talents(const Talents& talents, const Context& context);

}  // namespace arignote
