// Elementwise steps that may be done together with others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "kernels/kernel.hpp"
#include "kernels/small_programs.hpp"

namespace arignote::device {

// The bytes that an operand covers, counted from its address.
struct Reach {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool is_dense = false;  // elements lie in the order of their numbers, without gaps or repetition
};

// A program that is interpreted, reduces nothing, and has few operands and elements.
struct SmallStep {
  SmallProgram program{};
  std::span<const Reach> reaches;  // of the operands
  std::size_t n_read = 0;  // of them; the others are written
};

// Null if the run is none of those.
std::optional<SmallStep> small_step(const Work& work);

}  // namespace arignote::device
