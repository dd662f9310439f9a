// How the elements of an elementwise program are numbered on the device.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace arignote::device {

// Of an operand in bytes, along all axes of the program: zero where it is repeated.
using Strides = std::vector<std::int64_t>;

struct ProgramAxes {
  std::vector<std::int64_t> lengths;
  std::vector<Strides> strides;  // by operand
  int border = 0;                // so many are outer axes
  std::int64_t kept = 1;         // results of a reduction, or elements
  std::int64_t reduced = 1;      // elements of each result
  bool is_by_rows = false;       // results are numbered by the outer axes

  std::int64_t count() const { return kept * reduced; }
  // As the kernels read them.
  std::vector<std::int64_t> numbers() const;
};

// Puts the axes in an order that suits who reduces those of the mask, if there are any, and joins
// neighbours that all operands walk as one.
ProgramAxes lay_out_axes(std::span<const std::int64_t> shape, std::vector<Strides> operands,
                         std::uint32_t mask);

}  // namespace arignote::device
