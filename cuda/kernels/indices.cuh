// Reading integers of any dtype as positions.
#pragma once

#include "kernels/axes.cuh"
#include "kernels/indices.hpp"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {

// The bits of the index that an array has at a position.
ARN_DEVICE Bits index_at(const IndexArgs& index, int array, std::int64_t position) {
  return load_bits(index.dtypes[array],
                   index.data[array] +
                       offset_along(index.ndim, index.shape, index.strides[array], position));
}

// Where it points, from the beginning. As unsigned numbers, everything below zero and above the
// signed ones is too large as well.
ARN_DEVICE Bits place_at(const IndexArgs& index, int array, std::int64_t position) {
  const Bits bits = index_at(index, array, position);
  const bool is_negative = is_signed(index.dtypes[array]) && value_of<std::int64_t>(bits) < 0;
  return is_negative ? bits + static_cast<Bits>(index.lengths[array]) : bits;
}

// In bytes from the first element of the array, if all are in range.
ARN_DEVICE std::int64_t offset_at(const IndexArgs& index, std::int64_t position) {
  std::int64_t offset = position * index.position_step;
  for (int array = 0; array < index.arrays; ++array) {
    offset += static_cast<std::int64_t>(place_at(index, array, position)) * index.steps[array];
  }
  return offset;
}

}  // namespace arignote::device
