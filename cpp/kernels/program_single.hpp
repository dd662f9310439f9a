// A pass whose operands are one small tile. Nothing is walked and nothing cut, so every place is
// found when it is bound: models of a few numbers pay for little but their operations.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/buffer.hpp"
#include "kernels/kernel.hpp"
#include "kernels/program.hpp"
#include "kernels/program_axes.hpp"
#include "kernels/program_moves.hpp"
#include "kernels/program_tile.hpp"

namespace arignote {

class SingleTile {
 public:
  // `outputs` are those of the pass, and `items` the bytes per element of the inputs, then of
  // these. Null if there is more than one tile, or a large one, or a reduction that leaves more
  // than one number.
  static std::unique_ptr<SingleTile> make(const ElementwiseProgram& program,
                                          std::span<const int> outputs, const Tiling& tiling,
                                          const TileProgram& tile,
                                          std::span<const std::size_t> items);

  void run(const RunArgs& args) noexcept;

 private:
  enum class Kind : std::uint8_t { kReduce, kLoad, kStore };
  struct Op {
    BlockFn compute = nullptr;  // null: what `kind` says
    std::array<void*, 3> from{};
    void* to = nullptr;
    WholeFn reduce = nullptr;
    int move = 0;  // load, store
    Kind kind = Kind::kReduce;
  };
  struct Move {
    Rectangle rectangle;
    std::size_t item = 0;
  };
  // An operand of the kernel where it was last, and the pointers that follow it: those from the end
  // of the operand's before to `end`.
  struct Operand {
    std::byte* at = nullptr;
    std::size_t end = 0;
  };
  class Compiler;

  void follow(const RunArgs& args) noexcept;
  void follow(std::span<std::byte* const> places, std::span<Operand> operands, std::size_t first);
  void move(const Op& op) const noexcept;

  std::size_t count_ = 0;  // elements
  std::int64_t moves_seen_ = -1;  // of the arguments when operands were last followed
  std::vector<Op> constants_;     // fill blocks with what stays the same
  std::vector<Op> ops_;
  std::vector<Move> moves_;
  std::vector<Operand> inputs_;
  std::vector<Operand> outputs_;
  std::vector<void**> followers_;
  Buffer blocks_;
};

}  // namespace arignote
