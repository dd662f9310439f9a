// Walking an operand along its axes.
#pragma once

#include "device/language.cuh"
#include "kernels/axes.hpp"

namespace arignote::device {

// Where the element of that number lies, in bytes from the first one; they are numbered in C order.
ARN_DEVICE std::int64_t offset_along(int ndim, const std::int64_t* shape,
                                     const std::int64_t* strides, std::int64_t number) {
  std::int64_t offset = 0;
  for (int axis = ndim - 1; axis >= 0; --axis) {
    const std::int64_t above = axis > 0 ? number / shape[axis] : 0;
    offset += (number - above * shape[axis]) * strides[axis];
    number = above;
  }
  return offset;
}

ARN_DEVICE std::int64_t offset_along(const WalkAxes& axes, std::int64_t number) {
  return offset_along(axes.ndim, axes.shape, axes.strides, number);
}

}  // namespace arignote::device
