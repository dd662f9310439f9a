// A strided window on memory that somebody else owns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"

namespace arignote {

inline constexpr int kMaxDims = 16;

// Shape and strides of one operand; strides are in bytes and may be zero or negative.
struct Layout {
  DType dtype = DType::kFloat64;
  int ndim = 0;
  std::array<std::int64_t, kMaxDims> shape{};
  std::array<std::int64_t, kMaxDims> strides{};

  std::int64_t size() const {
    std::int64_t count = 1;
    for (int axis = 0; axis < ndim; ++axis) count *= shape[axis];
    return count;
  }

  // C order without gaps; axes of length one may carry any stride.
  bool contiguous() const {
    auto expected = static_cast<std::int64_t>(size_of(dtype));
    for (int axis = ndim - 1; axis >= 0; --axis) {
      if (shape[axis] != 1 && strides[axis] != expected) return size() == 0;
      expected *= shape[axis];
    }
    return true;
  }
};

}  // namespace arignote
