// What is done with one tile: the program of a pass as a list of loads, operations, reductions and
// stores, with a place for every register.
//
// A register lies in one of three places: in the operand's own memory where a tile of that is
// dense; in a block of scratch memory filled once per task (a scalar, a bias row); or in a block
// that is filled for each tile and taken over by another register when nobody needs it any more.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/program.hpp"
#include "kernels/program_axes.hpp"

namespace arignote {

struct TileOp {
  enum class Kind : std::uint8_t { kCompute, kLoad, kStore, kReduce };
  Kind kind = Kind::kCompute;
  int reg = 0;                    // compute, load: the result; store, reduce: what is taken
  std::array<int, 3> sources{};   // compute
  BlockFn fn = nullptr;           // compute
  int operand = 0;  // load, store, reduce: operand number, outputs after the inputs
};

// A register that lies in an operand's memory.
struct Placed {
  int reg = 0;
  int operand = 0;
};

struct TileProgram {
  std::vector<TileOp> once;  // loads, once per task
  std::vector<TileOp> each;  // for every tile
  std::vector<Placed> placed;
  std::vector<int> blocks;  // by register, -1 for one that has none
  int n_blocks = 0;
  std::size_t item_bytes = 1;  // of the widest register in a block
};

// `outputs` are those of the pass; the operands of `tiling` are the inputs, then these.
TileProgram make_tile_program(const ElementwiseProgram& program, std::span<const int> outputs,
                              const Tiling& tiling);

}  // namespace arignote
