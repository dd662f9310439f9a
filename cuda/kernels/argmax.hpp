// Where the extreme of a reduction stands: see cpp/kernels/argmax.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"
#include "kernels/axes.hpp"

namespace arignote::device {

struct ArgmaxArgs {
  const std::byte* x;
  std::int64_t* out;  // without gaps
  const Fault* fault;
  DType dtype;
  bool is_minimum;
  int lanes;
  std::int64_t results;
  std::int64_t length;  // of the reduced axes together, not 0
  WalkAxes kept;  // of x
  WalkAxes reduced;
};

int launch_argmax(const ArgmaxArgs& args, Stream stream);

}  // namespace arignote::device
