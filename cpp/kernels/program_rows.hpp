// An input of a pass that comes from a RowSource: a few rows at a time, in memory of the thread, so
// that they are read from a cache of its core.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/view.hpp"
#include "kernels/kernel.hpp"
#include "kernels/program_axes.hpp"

namespace arignote {

// How a matrix is walked, in bytes.
struct RowWalk {
  std::int64_t row = 0;  // 0: not row by row
  std::int64_t matrix = 0;  // all rows
  std::int64_t tile = 0;  // from the first to the last one of a tile
  std::int64_t step = 0;  // rows that are computed together
};

// Of input `number` of a tiling.
RowWalk walk_by_rows(const Layout& layout, const Tiling& tiling, std::size_t number);

// The rows that one task reads.
class RowWindow {
 public:
  // They end with this byte of the matrix.
  void open(const RowSource& source, const RowWalk& walk, std::int64_t end);

  // Where a tile lies that begins with this byte of the matrix, until the next call.
  std::byte* at(std::int64_t tile) {
    if (tile < begin_ || std::min(tile + walk_->tile, task_end_) > end_) move(tile);
    return memory_ + (tile - begin_);
  }

 private:
  void move(std::int64_t tile);

  const RowSource* source_ = nullptr;
  const RowWalk* walk_ = nullptr;
  std::byte* memory_ = nullptr;
  std::int64_t begin_ = 0;  // of the rows in memory
  std::int64_t end_ = 0;
  std::int64_t task_end_ = 0;
};

}  // namespace arignote
