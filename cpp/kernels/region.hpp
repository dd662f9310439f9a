// The part of an array that a slice_update changes.
#pragma once

#include <cstdint>
#include <span>

#include "core/status.hpp"
#include "core/view.hpp"

namespace arignote {

struct Region {
  Layout layout;
  std::int64_t offset = 0;  // in bytes

  // dims are (start, length, step) of each axis of x.
  Status cut(const Layout& x, std::span<const std::int64_t> dims) noexcept {
    if (dims.size() != 3 * static_cast<std::size_t>(x.ndim)) {
      return Status::bad_plan("[slice_update] dims must be (start, length, step) of each axis");
    }
    layout = x;
    offset = 0;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(x.ndim); ++axis) {
      const std::int64_t start = dims[3 * axis];
      const std::int64_t length = dims[3 * axis + 1];
      const std::int64_t step = dims[3 * axis + 2];
      if (!inside(start, length, step, x.shape[axis])) {
        return Status::bad_plan("[slice_update] the region must lie inside x");
      }
      layout.shape[axis] = length;
      layout.strides[axis] = length > 1 ? x.strides[axis] * step : 0;
      if (length > 0) offset += start * x.strides[axis];
    }
    return {};
  }

 private:
  static bool inside(std::int64_t start, std::int64_t length, std::int64_t step,
                     std::int64_t extent) noexcept {
    if (length <= 0) return length == 0;
    if (start < 0 || start >= extent) return false;
    if (length == 1) return true;
    if (step == 0) return false;
    const std::int64_t room = step > 0 ? extent - 1 - start : start;
    // Dividing, since a product could overflow; |step| of the least integer is beyond any room.
    if (step == INT64_MIN) return false;
    return length - 1 <= room / (step > 0 ? step : -step);
  }
};

}  // namespace arignote
