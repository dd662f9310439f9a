#include "kernels/program_tile.hpp"

#include <algorithm>

namespace arignote {
namespace {

constexpr int kNowhere = -1;

class TileCompiler {
 public:
  TileCompiler(const ElementwiseProgram& program, std::span<const int> outputs,
               const Tiling& tiling)
      : program_(program), outputs_(outputs), tiling_(tiling) {}

  TileProgram compile() {
    find_uses();
    place_outputs();
    place_inputs();
    emit();
    allocate();
    return std::move(tile_);
  }

 private:
  int n_instructions() const { return static_cast<int>(program_.instructions.size()); }
  std::size_t item(int reg) const { return size_of(program_.dtypes[reg]); }
  bool is_input(int reg) const { return reg < program_.n_inputs; }
  const ProgramOutput& output(std::size_t i) const { return program_.outputs[outputs_[i]]; }
  int operand_of(std::size_t i) const { return program_.n_inputs + static_cast<int>(i); }

  // Nothing to do: the input's memory is the output's.
  bool stays(std::size_t i) const {
    const auto& shared = output(i).shared;
    return std::ranges::find(shared, output(i).reg) != shared.end();
  }

  bool shared(int input) const {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (std::ranges::find(output(i).shared, input) != output(i).shared.end()) return true;
    }
    return false;
  }

  bool dense(int operand, std::size_t bytes) const {
    const auto size = static_cast<std::int64_t>(bytes);
    const TileAxis& row = tiling_.row;
    const TileAxis& col = tiling_.col;
    return (col.extent == 1 || col.strides[operand] == size) &&
           (row.extent == 1 || (whole_rows() && row.strides[operand] == size * col.extent));
  }

  // Whether the rows of all tiles have the same length.
  bool whole_rows() const { return tiling_.col.extent == tiling_.col.length; }

  // The same block for every tile, or the beginning of it.
  bool fixed(int operand) const {
    const bool constant = tiling_.row.strides[operand] == 0 && tiling_.col.strides[operand] == 0;
    if (tiling_.row.extent > 1 && !whole_rows() && !constant) return false;
    const auto still = [&](const Loop& loop) { return loop.strides[operand] == 0; };
    return std::ranges::all_of(tiling_.groups, still) && std::ranges::all_of(tiling_.sweep, still);
  }

  // The last instruction that uses a register; n_instructions stands for the end. Unused ones have
  // kNowhere, as have inputs that are only reduced, which is done at the start.
  void find_uses() {
    uses_.assign(program_.dtypes.size(), kNowhere);
    needed_.assign(program_.dtypes.size(), false);
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const int reg = output(i).reg;
      needed_[reg] = true;
      if (output(i).reduction == nullptr && !stays(i)) uses_[reg] = n_instructions();
    }
    for (int k = n_instructions() - 1; k >= 0; --k) {
      if (!needed_[program_.register_of(k)]) continue;
      const Instruction& instruction = program_.instructions[k];
      for (int i = 0; i < instruction.op->arity; ++i) {
        needed_[instruction.sources[i]] = true;
        uses_[instruction.sources[i]] = std::max(uses_[instruction.sources[i]], k);
      }
    }
  }

  // A result may be written straight into an output, unless that overwrites an input which a later
  // instruction still reads.
  void place_outputs() {
    home_.assign(program_.dtypes.size(), kNowhere);
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const int reg = output(i).reg;
      if (output(i).reduction != nullptr || is_input(reg) || home_[reg] != kNowhere) continue;
      const int instruction = reg - program_.n_inputs;
      const bool safe = std::ranges::all_of(output(i).shared,
                                            [&](int input) { return uses_[input] <= instruction; });
      if (safe && dense(operand_of(i), item(reg))) home_[reg] = operand_of(i);
    }
  }

  // An input that is itself an output, and is overwritten by another one, must be saved first.
  void place_inputs() {
    for (int reg = 0; reg < program_.n_inputs; ++reg) {
      const bool saved = shared(reg) && uses_[reg] == n_instructions();
      if (needed_[reg] && !saved && dense(reg, item(reg))) home_[reg] = reg;
    }
  }

  void emit() {
    loaded_.assign(program_.dtypes.size(), false);
    for (int reg = 0; reg < program_.n_inputs; ++reg) {
      if (needed_[reg] && shared(reg)) need(reg);
    }
    for (int reg = 0; reg < program_.n_inputs; ++reg) reduce(reg);
    for (int k = 0; k < n_instructions(); ++k) {
      const int reg = program_.register_of(k);
      if (!needed_[reg]) continue;
      const Instruction& instruction = program_.instructions[k];
      for (int i = 0; i < instruction.op->arity; ++i) need(instruction.sources[i]);
      tile_.each.push_back({.kind = TileOp::Kind::kCompute,
                            .reg = reg,
                            .sources = instruction.sources,
                            .fn = instruction.op->fn});
      reduce(reg);
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const int reg = output(i).reg;
      if (output(i).reduction != nullptr || stays(i) || home_[reg] == operand_of(i)) continue;
      need(reg);
      tile_.each.push_back({.kind = TileOp::Kind::kStore, .reg = reg, .operand = operand_of(i)});
    }
    for (std::size_t reg = 0; reg < home_.size(); ++reg) {
      if (home_[reg] != kNowhere) tile_.placed.push_back({static_cast<int>(reg), home_[reg]});
    }
  }

  void need(int reg) {
    if (!is_input(reg) || home_[reg] != kNowhere || loaded_[reg]) return;
    loaded_[reg] = true;
    auto& list = fixed(reg) ? tile_.once : tile_.each;
    list.push_back({.kind = TileOp::Kind::kLoad, .reg = reg, .operand = reg});
  }

  void reduce(int reg) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (output(i).reg != reg || output(i).reduction == nullptr) continue;
      need(reg);
      tile_.each.push_back({.kind = TileOp::Kind::kReduce, .reg = reg, .operand = operand_of(i)});
    }
  }

  // --- blocks

  void allocate() {
    tile_.blocks.assign(program_.dtypes.size(), kNowhere);
    for (const TileOp& op : tile_.once) take_block(op.reg);
    std::vector<std::size_t> last(program_.dtypes.size(), 0);
    const auto visit = [&](const TileOp& op, auto&& use) {
      use(op.reg);
      if (op.kind != TileOp::Kind::kCompute) return;
      const BlockOp& block_op = *program_.instructions[op.reg - program_.n_inputs].op;
      for (int i = 0; i < block_op.arity; ++i) use(op.sources[i]);
    };
    for (std::size_t i = 0; i < tile_.each.size(); ++i) {
      visit(tile_.each[i], [&](int reg) { last[reg] = i; });
    }
    for (std::size_t i = 0; i < tile_.each.size(); ++i) {
      const TileOp& op = tile_.each[i];
      const bool defines = op.kind == TileOp::Kind::kCompute || op.kind == TileOp::Kind::kLoad;
      const auto ends = [&](int reg) { return reg != op.reg && last[reg] == i; };
      // A result may take the block of a source of its own size that is read here for the last
      // time.
      visit(op, [&](int reg) {
        if (ends(reg) && item(reg) == item(op.reg)) give_block(reg);
      });
      if (defines && home_[op.reg] == kNowhere) take_block(op.reg);
      visit(op, [&](int reg) {
        if (ends(reg)) give_block(reg);
      });
      if (last[op.reg] == i) give_block(op.reg);
    }
  }

  void take_block(int reg) {
    if (free_.empty()) free_.push_back(tile_.n_blocks++);
    tile_.blocks[reg] = free_.back();
    free_.pop_back();
    tile_.item_bytes = std::max(tile_.item_bytes, item(reg));
    given_.resize(program_.dtypes.size(), false);
  }

  void give_block(int reg) {
    const bool once = is_input(reg) && fixed(reg);
    if (tile_.blocks[reg] == kNowhere || once || given_[reg]) return;
    given_[reg] = true;
    free_.push_back(tile_.blocks[reg]);
  }

  const ElementwiseProgram& program_;
  std::span<const int> outputs_;
  const Tiling& tiling_;
  TileProgram tile_;
  std::vector<int> uses_;      // by register, as are the next four
  std::vector<bool> needed_;
  std::vector<int> home_;      // operand in whose memory it lies
  std::vector<bool> loaded_;
  std::vector<bool> given_;
  std::vector<int> free_;
};

}  // namespace

TileProgram make_tile_program(const ElementwiseProgram& program, std::span<const int> outputs,
                              const Tiling& tiling) {
  return TileCompiler(program, outputs, tiling).compile();
}

}  // namespace arignote
