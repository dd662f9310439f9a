// Axes that the host has laid out, as kernels walk them.
#pragma once

#include "kernels/axes.hpp"
#include "kernels/strided.hpp"

namespace arignote::device {

inline WalkAxes walk_axes(const Axes<1>& axes) {
  WalkAxes walk{};
  walk.ndim = axes.ndim;
  for (int axis = 0; axis < axes.ndim; ++axis) {
    walk.shape[axis] = axes.shape[axis];
    walk.strides[axis] = axes.strides[axis][0];
  }
  return walk;
}

}  // namespace arignote::device
