// What this machine can do at best: the roof that kernels are compared with.
#pragma once

#include <cstddef>

#include "core/dtype.hpp"

namespace arignote {

// Gigabytes read per second from `bytes` bytes with all threads; zero if there is no such memory.
double measure_bandwidth(std::size_t bytes);

// Billions of floating-point operations per second, a fused multiply-add being two, in registers
// with all threads at the current target. Zero for dtypes other than float32 and float64.
double measure_fma_rate(DType dtype);

}  // namespace arignote
