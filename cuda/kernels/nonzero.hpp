// The coordinates of the elements that are not zero: see cpp/kernels/index.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"
#include "kernels/axes.hpp"

namespace arignote::device {

struct NonzeroArgs {
  const std::byte* x;
  Fault* fault;
  std::int64_t* starts;  // room for one of each block
  std::int64_t count;    // elements of x
  std::int64_t length;   // of each output
  DType dtype;
  WalkAxes walk;  // of x
  int ndim;
  std::int64_t shape[kMaxDims];
  std::int64_t* outputs[kMaxDims];  // along each axis
};

std::int64_t nonzero_blocks(std::int64_t count);
// Leaves a fault of the step if there are not as many as the outputs have room for.
int launch_nonzero(const NonzeroArgs& args, int step, Stream stream);

}  // namespace arignote::device
