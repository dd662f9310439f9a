#include "kernels/program_rows.hpp"

#include <algorithm>
#include <cstring>

#include "core/buffer.hpp"
#include "core/division.hpp"

namespace arignote {
namespace {

// Products are fastest with so many rows at a time, or a multiple of that.
constexpr std::int64_t kLeastRows = 14;
constexpr std::int64_t kRowsTogether = 2 * kLeastRows;
// They stay in the second cache.
constexpr std::int64_t kMemoryBytes = 256 << 10;

// Not on the stack, which may be small.
std::byte* window_memory() {
  alignas(kAlignment) thread_local std::byte memory[kMemoryBytes];
  return memory;
}

// Whether a tile is never followed by one that begins before it.
bool goes_forward(const Tiling& tiling, std::size_t number) {
  for (const TileAxis* const axis : {&tiling.row, &tiling.col}) {
    if (axis->extent > 1 && axis->strides[number] <= 0) return false;
  }
  std::int64_t before = 0;
  for (const std::vector<Loop>* const loops : {&tiling.groups, &tiling.sweep}) {
    for (const Loop& loop : *loops) {
      const std::int64_t stride = loop.strides[number];
      if (stride <= 0 || (before != 0 && stride > before)) return false;
      before = stride;
    }
  }
  return true;
}

}  // namespace

RowWalk walk_by_rows(const Layout& layout, const Tiling& tiling, std::size_t number) {
  if (layout.ndim != 2 || layout.size() == 0 || !layout.contiguous() ||
      !goes_forward(tiling, number)) {
    return {};
  }
  const auto item = static_cast<std::int64_t>(size_of(layout.dtype));
  const std::int64_t row = layout.shape[1] * item;
  const auto reach = [&](const TileAxis& axis) { return (axis.extent - 1) * axis.strides[number]; };
  RowWalk walk{.row = row,
               .matrix = layout.shape[0] * row,
               .tile = reach(tiling.row) + reach(tiling.col) + item};
  // A tile may begin in the midst of a row.
  const std::int64_t tile_rows = ceil_div(walk.tile, row) + 1;
  const std::int64_t rows = std::min(kRowsTogether, kMemoryBytes / row - tile_rows);
  walk.step = rows * row;
  return rows >= std::max(kLeastRows, tile_rows) ? walk : RowWalk{};
}

void RowWindow::open(const RowSource& source, const RowWalk& walk, std::int64_t end) {
  source_ = &source;
  walk_ = &walk;
  memory_ = window_memory();
  begin_ = end_ = 0;
  task_end_ = std::min(ceil_div(end, walk.row) * walk.row, walk.matrix);
}

// Rows that a tile before has read, too, move to the front.
void RowWindow::move(std::int64_t tile) {
  const std::int64_t row = walk_->row;
  const std::int64_t begin = tile / row * row;
  const std::int64_t kept = begin >= begin_ && begin < end_ ? end_ - begin : 0;
  if (kept > 0) std::memmove(memory_, memory_ + (begin - begin_), static_cast<std::size_t>(kept));
  begin_ = begin;
  end_ = std::min(begin + kept + walk_->step, task_end_);
  source_->compute((begin + kept) / row, end_ / row, memory_ + kept);
}

}  // namespace arignote
