// Rounding sums of halves, which are float32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

struct RoundArgs {
  const std::byte* from;
  std::byte* to;
  const Fault* fault;
  std::int64_t count;
};

// To float16 or bfloat16.
int launch_round(const RoundArgs& args, DType to, Stream stream);

}  // namespace arignote::device
