// The axes along which kernels walk an operand.
#pragma once

#include <cstdint>

#include "core/view.hpp"

namespace arignote::device {

struct WalkAxes {
  int ndim;
  std::int64_t shape[kMaxDims];
  std::int64_t strides[kMaxDims];  // in bytes
};

}  // namespace arignote::device
