// How the operands of an elementwise program are walked.
//
// The axes are ordered so that memory is read forwards where it can be, joined where all operands
// allow it, and the innermost two are cut into tiles of `rows` times `cols` elements. What is left
// are loops: the outer ones run over results (groups), the inner ones over what is reduced into one
// (sweep).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/view.hpp"

namespace arignote {

// Strides are in bytes and stand for the operands in order.
struct Axis {
  std::int64_t length = 1;
  bool reduced = false;
  std::vector<std::int64_t> strides;
};

struct Loop {
  std::int64_t count = 1;
  std::vector<std::int64_t> strides;
};

inline constexpr std::size_t kMaxLoops = kMaxDims + 2;

// A position in nested loops, the innermost last, with the distance that each operand has come.
class Walk {
 public:
  Walk(std::span<const Loop> loops, std::span<std::int64_t> distances)
      : loops_(loops), distances_(distances) {}

  // From the start to a position in C order.
  void seek(std::int64_t position);
  // One on; after the last position comes the first.
  void next();
  std::int64_t index(int loop) const { return index_[static_cast<std::size_t>(loop)]; }

 private:
  std::span<const Loop> loops_;
  std::span<std::int64_t> distances_;
  std::array<std::int64_t, kMaxLoops> index_;  // as far as there are loops, once seek() was called
};

// How far an operand has come at a position in C order.
std::int64_t distance_at(std::span<const Loop> loops, std::int64_t position, std::size_t operand);

// Orders axes by how far their steps reach and joins neighbours.
void arrange(std::vector<Axis>& axes);

// One of the two axes of a tile.
struct TileAxis {
  std::int64_t length = 1;  // of the whole axis
  std::int64_t extent = 1;  // within a tile; the last tile along the axis may be shorter
  bool reduced = false;
  int loop = -1;  // its loop among the groups, or if it is reduced in the sweep; -1: one tile
  std::vector<std::int64_t> strides;

  // The extent of the tile at which the walks stand.
  std::int64_t extent_at(const Walk& group, const Walk& sweep) const {
    if (loop < 0) return length;
    const std::int64_t rest = length - (reduced ? sweep : group).index(loop) * extent;
    return rest < extent ? rest : extent;
  }
};

struct Tiling {
  TileAxis row;
  TileAxis col;
  std::vector<Loop> groups;
  std::vector<Loop> sweep;
  std::int64_t n_groups = 1;
  std::int64_t n_sweep = 1;
};

// Cuts arranged axes into tiles of at most `block` elements. `n_operands` is the length of strides.
Tiling make_tiling(std::span<const Axis> arranged, std::int64_t block, std::size_t n_operands);

}  // namespace arignote
