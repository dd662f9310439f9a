// Looking through integers that are used as positions, before anybody uses them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// A vector of integers; those below zero count from the end of what they go into.
struct Positions {
  const std::byte* data;
  DType dtype;
  std::int64_t count;
  std::int64_t stride;  // in bytes
  std::int64_t length;  // of what they go into
};

// Leaves a fault of the step at the first position that is out of range, if there is one.
int launch_check_positions(const Positions& positions, Fault* fault, std::int32_t step,
                           Stream stream);

}  // namespace arignote::device
