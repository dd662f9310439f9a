// Where temporaries lie in a segment's memory.
#pragma once

#include <cstddef>
#include <span>

#include "runtime/schedule.hpp"

namespace arignote {

struct Slot {
  std::size_t bytes = 0;
  Lifetime lifetime;
  std::size_t offset = 0;  // the answer, a multiple of 64
};

// Places the slots so that no two that live at the same time overlap; returns the bytes in total.
std::size_t lay_out(std::span<Slot> slots);

}  // namespace arignote
