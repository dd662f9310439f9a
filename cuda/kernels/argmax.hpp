// Where the extreme of a reduction stands: see cpp/kernels/argmax.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/view.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

struct ArgmaxAxes {
  int ndim;
  std::int64_t shape[kMaxDims];
  std::int64_t strides[kMaxDims];  // of x, in bytes
};

struct ArgmaxArgs {
  const std::byte* x;
  std::int64_t* out;  // without gaps
  const Fault* fault;
  DType dtype;
  bool is_minimum;
  int lanes;
  std::int64_t results;
  std::int64_t length;  // of the reduced axes together, not 0
  ArgmaxAxes kept;
  ArgmaxAxes reduced;
};

int launch_argmax(const ArgmaxArgs& args, Stream stream);

}  // namespace arignote::device
