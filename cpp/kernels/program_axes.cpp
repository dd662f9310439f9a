#include "kernels/program_axes.hpp"

#include <algorithm>
#include <cstdlib>

namespace arignote {
namespace {

double reach(const Axis& axis) {
  double sum = 0;
  for (const std::int64_t stride : axis.strides) sum += std::abs(static_cast<double>(stride));
  return sum;
}

// Whether stepping along `outer` is the same as stepping on past the end of `inner`.
bool joins(const Axis& outer, const Axis& inner) {
  if (outer.reduced != inner.reduced) return false;
  for (std::size_t i = 0; i < inner.strides.size(); ++i) {
    if (outer.strides[i] != inner.strides[i] * inner.length) return false;
  }
  return true;
}

std::int64_t tiles_along(const TileAxis& axis) {
  return (axis.length + axis.extent - 1) / axis.extent;
}

Loop loop_over(const TileAxis& axis) {
  Loop loop{tiles_along(axis), axis.strides};
  for (std::int64_t& stride : loop.strides) stride *= axis.extent;
  return loop;
}

std::vector<Loop>& loops_of(Tiling& tiling, bool reduced) {
  return reduced ? tiling.sweep : tiling.groups;
}

void add_tile_loop(Tiling& tiling, TileAxis& axis) {
  if (tiles_along(axis) == 1) return;
  std::vector<Loop>& loops = loops_of(tiling, axis.reduced);
  axis.loop = static_cast<int>(loops.size());
  loops.push_back(loop_over(axis));
}

// Tiles of nearly equal length, none longer than `block`.
std::int64_t extent_of(std::int64_t length, std::int64_t block) {
  if (length <= block) return std::max<std::int64_t>(length, 1);
  constexpr std::int64_t kGrain = 64;
  const std::int64_t tiles = (length + block - 1) / block;
  const std::int64_t even = (length + tiles - 1) / tiles;
  return std::min(block, (even + kGrain - 1) / kGrain * kGrain);
}

// Rows of a tile where operands cross: enough to use up the cache lines that are touched.
constexpr std::int64_t kCrossingRows = 32;

// The axis along which an operand has its shortest steps, -1 if it stands still.
int closest_axis(std::span<const Axis> axes, std::size_t operand) {
  int closest = -1;
  std::int64_t shortest = 0;
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    const std::int64_t step = std::abs(axes[axis].strides[operand]);
    if (step != 0 && (closest < 0 || step <= shortest)) {
      closest = static_cast<int>(axis);
      shortest = step;
    }
  }
  return closest;
}

// Where an operand is walked across its rows (a transposed one), tiles must be about square, or
// each of its cache lines would be fetched again for every element. Brings the axis of that
// operand's rows next to the innermost one; false if there is none, or nothing to gain.
bool bring_crossing_axis(std::vector<Axis>& axes, std::int64_t block) {
  const auto last = static_cast<int>(axes.size()) - 1;
  if (last < 1 || block < kCrossingRows * kCrossingRows / 2) return false;
  if (axes.back().length <= block / kCrossingRows) return false;
  for (std::size_t operand = 0; operand < axes.back().strides.size(); ++operand) {
    const int closest = closest_axis(axes, operand);
    const bool crosses = closest >= 0 && closest != last && axes.back().strides[operand] != 0;
    if (!crosses || axes[closest].length < kCrossingRows / 2) continue;
    std::rotate(axes.begin() + closest, axes.begin() + closest + 1, axes.end() - 1);
    return true;
  }
  return false;
}

TileAxis tile_axis(const Axis& axis) {
  TileAxis tile;
  tile.length = axis.length;
  tile.reduced = axis.reduced;
  tile.strides = axis.strides;
  return tile;
}

std::int64_t count_of(std::span<const Loop> loops) {
  std::int64_t count = 1;
  for (const Loop& loop : loops) count *= loop.count;
  return count;
}

}  // namespace

void Walk::seek(std::int64_t position) {
  std::ranges::fill(distances_, 0);
  for (std::size_t i = loops_.size(); i-- > 0;) {
    index_[i] = position % loops_[i].count;
    position /= loops_[i].count;
    for (std::size_t n = 0; n < distances_.size(); ++n) {
      distances_[n] += index_[i] * loops_[i].strides[n];
    }
  }
}

void Walk::next() {
  for (std::size_t i = loops_.size(); i-- > 0;) {
    const Loop& loop = loops_[i];
    const bool wraps = ++index_[i] == loop.count;
    if (wraps) index_[i] = 0;
    const std::int64_t move = wraps ? 1 - loop.count : 1;
    for (std::size_t n = 0; n < distances_.size(); ++n) distances_[n] += move * loop.strides[n];
    if (!wraps) return;
  }
}

std::int64_t distance_at(std::span<const Loop> loops, std::int64_t position, std::size_t operand) {
  std::int64_t distance = 0;
  for (std::size_t i = loops.size(); i-- > 0;) {
    distance += position % loops[i].count * loops[i].strides[operand];
    position /= loops[i].count;
  }
  return distance;
}

void arrange(std::vector<Axis>& axes) {
  std::erase_if(axes, [](const Axis& axis) { return axis.length == 1; });
  std::ranges::stable_sort(axes, std::ranges::greater{}, reach);
  std::vector<Axis> joined;
  for (Axis& axis : axes) {
    if (!joined.empty() && joins(joined.back(), axis)) {
      axis.length *= joined.back().length;
      joined.back() = std::move(axis);
    } else {
      joined.push_back(std::move(axis));
    }
  }
  axes = std::move(joined);
}

Tiling make_tiling(std::span<const Axis> arranged, std::int64_t block, std::size_t n_operands) {
  std::vector<Axis> axes(arranged.begin(), arranged.end());
  Tiling tiling;
  tiling.row.strides.assign(n_operands, 0);
  tiling.col.strides.assign(n_operands, 0);
  const bool crossed = bring_crossing_axis(axes, block);
  if (!axes.empty()) {
    tiling.col = tile_axis(axes.back());
    tiling.col.extent = extent_of(tiling.col.length, crossed ? block / kCrossingRows : block);
    axes.pop_back();
  }
  // Several short rows make one tile, so that the work on a tile outweighs the way to it.
  const std::int64_t rows = crossed ? kCrossingRows : block / tiling.col.extent;
  const bool whole = tiling.col.extent == tiling.col.length;
  if (!axes.empty() && rows > 1 && (whole || crossed)) {
    tiling.row = tile_axis(axes.back());
    tiling.row.extent = extent_of(tiling.row.length, rows);
    axes.pop_back();
  }
  for (Axis& axis : axes) {
    loops_of(tiling, axis.reduced).push_back({axis.length, std::move(axis.strides)});
  }
  add_tile_loop(tiling, tiling.row);
  add_tile_loop(tiling, tiling.col);
  tiling.n_groups = count_of(tiling.groups);
  tiling.n_sweep = count_of(tiling.sweep);
  return tiling;
}

}  // namespace arignote
