// Random numbers: see cpp/kernels/random.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

struct UniformArgs {
  const std::byte* state;
  std::int64_t stride;  // of its elements, in bytes
  std::byte* out;  // without gaps
  std::uint64_t* next;  // not in the memory of the state
  const Fault* fault;
  DType dtype;  // float32 or float64
  std::int64_t count;
};

int launch_uniform(const UniformArgs& args, Stream stream);

}  // namespace arignote::device
