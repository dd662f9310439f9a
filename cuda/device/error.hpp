// What the calls of CUDA's runtime return, where that is linked in.
#pragma once

#include <cuda_runtime_api.h>

namespace arignote::device {

// An error that is reported is no longer the last one, unless it stays for ever: the launches that
// follow would report it as well.
inline int taken(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  return static_cast<int>(error);
}

}  // namespace arignote::device
