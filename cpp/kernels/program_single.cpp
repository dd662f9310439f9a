#include "kernels/program_single.hpp"

#include <algorithm>

namespace arignote {
namespace {

// Beyond these the way of larger passes costs little, and memory that waits for the next run much.
constexpr std::int64_t kMostElements = 256;
constexpr std::size_t kMostBytes = std::size_t{16} << 10;

bool suits(const ElementwiseProgram& program, std::span<const int> outputs, const Tiling& tiling) {
  const std::int64_t elements = tiling.row.length * tiling.col.length;
  if (tiling.n_groups != 1 || tiling.n_sweep != 1 || tiling.row.loop >= 0 || tiling.col.loop >= 0 ||
      elements < 1 || elements > kMostElements) {
    return false;
  }
  const bool reduces_all = (tiling.row.reduced || tiling.row.length == 1) &&
                           (tiling.col.reduced || tiling.col.length == 1);
  return reduces_all || std::ranges::all_of(outputs, [&](int number) {
           return program.outputs[number].reduction == nullptr;
         });
}

}  // namespace

class SingleTile::Compiler {
 public:
  Compiler(const ElementwiseProgram& program, std::span<const int> outputs, const Tiling& tiling,
           const TileProgram& tile, std::span<const std::size_t> items)
      : program_(program), outputs_(outputs), tiling_(tiling), tile_(tile), items_(items) {}

  // Null if there is no memory.
  std::unique_ptr<SingleTile> compile() {
    made_->count_ = static_cast<std::size_t>(tiling_.row.length * tiling_.col.length);
    block_bytes_ = align_up(made_->count_ * tile_.item_bytes);
    const std::size_t bytes = static_cast<std::size_t>(tile_.n_blocks) * block_bytes_;
    if (bytes > kMostBytes || !made_->blocks_.reserve(bytes)) return nullptr;
    home_.assign(program_.dtypes.size(), -1);
    for (const Placed& placed : tile_.placed) home_[placed.reg] = placed.operand;
    // Pointers into both are taken.
    made_->constants_.reserve(tile_.once.size());
    made_->ops_.reserve(tile_.once.size() + tile_.each.size());
    for (const TileOp& op : tile_.once) add(op, is_constant(op) ? made_->constants_ : made_->ops_);
    for (const TileOp& op : tile_.each) add(op, made_->ops_);
    follow();
    return std::move(made_);
  }

 private:
  struct Use {
    int operand;
    void** pointer;
  };

  bool is_fill(const TileOp& op) const {
    return tiling_.row.strides[op.operand] == 0 && tiling_.col.strides[op.operand] == 0;
  }
  bool is_constant(const TileOp& op) const { return is_fill(op) && program_.constant[op.operand]; }

  void add(const TileOp& tile_op, std::vector<Op>& ops) {
    Op& op = ops.emplace_back();
    switch (tile_op.kind) {
      case TileOp::Kind::kCompute:
        op.compute = tile_op.fn;
        for (std::size_t i = 0; i < op.from.size(); ++i) point(tile_op.sources[i], op.from[i]);
        point(tile_op.reg, op.to);
        break;
      case TileOp::Kind::kReduce:
        op.kind = Kind::kReduce;
        op.reduce =
            program_.outputs[outputs_[tile_op.operand - program_.n_inputs]].reduction->whole;
        point(tile_op.reg, op.from[0]);
        uses_.push_back({tile_op.operand, &op.to});
        break;
      case TileOp::Kind::kLoad:
        if (is_fill(tile_op)) {
          op.compute = find_fill(items_[tile_op.operand]);
        } else {
          add_move(op, Kind::kLoad, tile_op.operand);
        }
        uses_.push_back({tile_op.operand, &op.from[0]});
        point(tile_op.reg, op.to);
        break;
      case TileOp::Kind::kStore:
        add_move(op, Kind::kStore, tile_op.operand);
        point(tile_op.reg, op.from[0]);
        uses_.push_back({tile_op.operand, &op.to});
        break;
    }
  }

  void add_move(Op& op, Kind kind, int operand) {
    op.kind = kind;
    op.move = static_cast<int>(made_->moves_.size());
    made_->moves_.push_back(
        {.rectangle = {tiling_.row.length, tiling_.col.length, tiling_.row.strides[operand],
                       tiling_.col.strides[operand]},
         .item = items_[operand]});
  }

  void point(int reg, void*& pointer) {
    if (home_[reg] >= 0) {
      uses_.push_back({home_[reg], &pointer});
    } else if (tile_.blocks[reg] >= 0) {
      pointer = made_->blocks_.data() + static_cast<std::size_t>(tile_.blocks[reg]) * block_bytes_;
    }
  }

  // Lists the pointers by the kernel's inputs, then by its outputs.
  void follow() {
    const auto rank = [&](const Use& use) {
      const int output = use.operand - program_.n_inputs;
      return output < 0 ? use.operand : program_.n_inputs + outputs_[output];
    };
    std::ranges::stable_sort(uses_, {}, rank);
    std::size_t next = 0;
    const auto take = [&](std::vector<Operand>& operands, std::size_t count, int first) {
      for (std::size_t i = 0; i < count; ++i) {
        for (; next < uses_.size() && rank(uses_[next]) == first + static_cast<int>(i); ++next) {
          made_->followers_.push_back(uses_[next].pointer);
        }
        operands.push_back({.end = next});
      }
    };
    take(made_->inputs_, static_cast<std::size_t>(program_.n_inputs), 0);
    take(made_->outputs_, program_.outputs.size(), program_.n_inputs);
  }

  const ElementwiseProgram& program_;
  std::span<const int> outputs_;
  const Tiling& tiling_;
  const TileProgram& tile_;
  std::span<const std::size_t> items_;
  std::unique_ptr<SingleTile> made_ = std::make_unique<SingleTile>();
  std::size_t block_bytes_ = 0;
  std::vector<int> home_;  // by register: the operand in whose memory it lies, -1 if in none
  std::vector<Use> uses_;
};

std::unique_ptr<SingleTile> SingleTile::make(const ElementwiseProgram& program,
                                             std::span<const int> outputs, const Tiling& tiling,
                                             const TileProgram& tile,
                                             std::span<const std::size_t> items) {
  if (!suits(program, outputs, tiling)) return nullptr;
  return Compiler(program, outputs, tiling, tile, items).compile();
}

void SingleTile::run(const RunArgs& args) noexcept {
  if (args.moves != moves_seen_) follow(args);
  for (const Op& op : ops_) {
    if (op.compute != nullptr) {
      op.compute(op.from.data(), op.to, count_);
    } else if (op.kind == Kind::kReduce) {
      op.reduce(op.from[0], op.to, count_);
    } else {
      move(op);
    }
  }
}

// Most operands stay where they are from one run to the next.
void SingleTile::follow(const RunArgs& args) noexcept {
  follow(args.inputs, inputs_, 0);
  follow(args.outputs, outputs_, inputs_.back().end);
  if (moves_seen_ < 0) {
    for (const Op& op : constants_) op.compute(op.from.data(), op.to, count_);
  }
  moves_seen_ = args.moves;
}

void SingleTile::follow(std::span<std::byte* const> places, std::span<Operand> operands,
                        std::size_t first) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].at == places[i]) continue;
    operands[i].at = places[i];
    std::size_t next = i == 0 ? first : operands[i - 1].end;
    for (; next < operands[i].end; ++next) *followers_[next] = places[i];
  }
}

void SingleTile::move(const Op& op) const noexcept {
  const Move& move = moves_[op.move];
  auto* const from = static_cast<std::byte*>(op.from[0]);
  auto* const to = static_cast<std::byte*>(op.to);
  if (op.kind == Kind::kStore) {
    store_block(from, move.rectangle, move.item, to);
  } else {
    load_block(from, move.rectangle, move.item, to);
  }
}

}  // namespace arignote
