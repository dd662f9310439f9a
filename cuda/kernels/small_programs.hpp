// Elementwise programs that are too small for a launch of their own each.
#pragma once

#include <cstdint>

#include "device/fault.cuh"
#include "device/language.cuh"
#include "kernels/elementwise.hpp"

namespace arignote::device {

inline constexpr int kMostSmallOperands = 8;
inline constexpr int kMostSmallSlots = 16;

// As ProgramArgs; nothing is reduced.
struct SmallProgram {
  const Operation* operations;
  const std::int64_t* axes;
  std::int64_t count;
  int n_operations;
  int ndim;
  std::byte* operands[kMostSmallOperands];
};

inline constexpr int kMostSmallPrograms = 8;

struct SmallPrograms {
  SmallProgram items[kMostSmallPrograms];
  int count;
  const Fault* fault;
};

// In one launch, and in any order: none writes what another one reads or writes.
int launch_small_programs(const SmallPrograms& programs, Stream stream);

}  // namespace arignote::device
