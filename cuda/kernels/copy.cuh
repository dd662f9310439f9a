// Where the elements of a strided copy lie.
#pragma once

#include "kernels/copy.hpp"

namespace arignote::device {

struct CopyOffsets {
  std::int64_t to = 0;
  std::int64_t from = 0;

  // Of the element of that number, in bytes.
  ARN_DEVICE CopyOffsets(const CopyArgs& c, std::int64_t number) {
    for (int axis = c.ndim - 1; axis >= 0; --axis) {
      const std::int64_t above = axis > 0 ? number / c.shape[axis] : 0;
      const std::int64_t index = number - above * c.shape[axis];
      number = above;
      to += index * c.to_strides[axis];
      from += index * c.from_strides[axis];
    }
  }
};

}  // namespace arignote::device
