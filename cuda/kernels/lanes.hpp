// How many neighbouring threads share the work on a row or on a result.
#pragma once

#include <cstdint>

#include "device/language.cuh"

namespace arignote::device {

// So many elements are a thread's before others join it.
inline constexpr std::int64_t kLaneRun = 16;

inline Grid grid_for(std::int64_t rows, int lanes) {
  const std::int64_t rows_of_block = kBlockThreads / lanes;
  return {.blocks = (rows + rows_of_block - 1) / rows_of_block, .has_barriers = lanes > 1};
}

// A power of two; fewer where so many rows would be more blocks than a launch may have.
inline int lanes_for(std::int64_t length, std::int64_t rows) {
  int lanes = 1;
  while (lanes < kBlockThreads && lanes * kLaneRun < length &&
         grid_for(rows, 2 * lanes).blocks <= kMostBlocks) {
    lanes *= 2;
  }
  return lanes;
}

}  // namespace arignote::device
