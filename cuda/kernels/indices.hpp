// Integers that are used as positions, and looking through them before anybody uses them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/view.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// Index arrays of one shape, the j-th running over axis j of an array; indices below zero count
// from the end of it. Positions are numbered in C order of that shape.
struct IndexArgs {
  std::int64_t count;
  int arrays;
  int ndim;
  std::int64_t shape[kMaxDims];
  const std::byte* data[kMaxDims];
  std::int64_t strides[kMaxDims][kMaxDims];  // by array
  DType dtypes[kMaxDims];
  std::int64_t lengths[kMaxDims];  // of the array's axes
  std::int64_t steps[kMaxDims];    // from one element to the next along them, in bytes
  std::int64_t position_step;  // what each position adds by itself, in bytes
};

// Leaves a fault of the step at the first position where an index is out of range, if there is one.
int launch_check(const IndexArgs& index, const Origin& origin, Fault* fault, Stream stream);

}  // namespace arignote::device
