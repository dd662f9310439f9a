#include "kernels/program_pass.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/buffer.hpp"
#include "core/parallel.hpp"
#include "kernels/program_moves.hpp"

namespace arignote {
namespace {

// Two thirds of a small L1; the operands themselves stream through the rest.
constexpr std::size_t kScratchBytes = std::size_t{32} << 10;
constexpr std::array<std::int64_t, 12> kBlocks = {1024, 768, 512, 384, 256, 128,
                                                  64,   32,  16,  8,   4,   1};

// With so many groups the tasks are even without cutting a group's sweep.
constexpr std::int64_t kManyGroups = 32;
constexpr std::int64_t kMaxParts = 64;
constexpr std::int64_t kEnoughTasks = 8;

std::vector<Axis> make_axes(const ElementwiseProgram& program, std::span<const int> outputs,
                            std::span<const Layout> inputs, std::span<const Layout> output_layouts,
                            std::span<const std::int64_t> shape) {
  std::vector<Axis> axes;
  std::vector<int> kept(outputs.size(), 0);  // axes of each output so far
  for (int axis = 0; axis < program.ndim; ++axis) {
    Axis& made = axes.emplace_back();
    made.length = shape[axis];
    for (const Layout& layout : inputs) {
      made.strides.push_back(layout.shape[axis] == 1 ? 0 : layout.strides[axis]);
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const bool reduced = (program.outputs[outputs[i]].reduced >> axis & 1U) != 0;
      made.strides.push_back(reduced ? 0 : output_layouts[outputs[i]].strides[kept[i]++]);
      made.reduced |= reduced;
    }
  }
  arrange(axes);
  return axes;
}

}  // namespace

// Carries out one task. Its memory is the caller's.
class TaskRun {
 public:
  TaskRun(const Pass& pass, const RunArgs& args, std::byte* memory)
      : pass_(pass),
        args_(args),
        memory_(memory),
        pointers_(reinterpret_cast<std::byte**>(memory)),
        group_distance_(reinterpret_cast<std::int64_t*>(memory + pass.scratch_.group)),
        sweep_distance_(reinterpret_cast<std::int64_t*>(memory + pass.scratch_.sweep)),
        accumulators_(memory + pass.scratch_.accumulators),
        group_(pass.tiling_.groups, {group_distance_, pass.items_.size()}),
        sweep_(pass.tiling_.sweep, {sweep_distance_, pass.items_.size()}) {
    if (args.rows != nullptr) rows_input_ = static_cast<int>(args.rows_input);
  }

  void run(std::int64_t task) {
    if (pass_.parts_ > 1) {
      run_part(task);
      return;
    }
    const std::int64_t groups = pass_.groups_of_task(args_);
    const std::int64_t first = task * groups;
    const std::int64_t last = std::min(first + groups, pass_.tiling_.n_groups);
    group_.seek(first);
    begin_sweep(0);
    open_rows(last, pass_.tiling_.n_sweep);
    for (std::int64_t i = first; i < last; ++i) {
      start();
      run_tiles(pass_.tiling_.n_sweep);
      finish();
      group_.next();
    }
  }

  // Joins the parts of a group in their order.
  void join(std::int64_t group) {
    group_.seek(group);
    use_part(group * pass_.parts_);
    const auto count = static_cast<std::size_t>(cell_rows() * cell_cols());
    for (std::int64_t part = 1; part < pass_.parts_; ++part) {
      const std::byte* other = part_of(group * pass_.parts_ + part);
      for (const Pass::Reduced& reduced : pass_.reduced_) {
        if (reduced.reduction == nullptr) continue;
        reduced.reduction->join(other + reduced.offset, accumulators_ + reduced.offset, count);
      }
    }
    finish();
  }

 private:
  // The task's share of one group's sweep. Its accumulators wait in the workspace for the others.
  void run_part(std::int64_t task) {
    const std::int64_t group = task / pass_.parts_;
    const std::int64_t part = task % pass_.parts_;
    const std::int64_t begin = pass_.tiling_.n_sweep * part / pass_.parts_;
    const std::int64_t end = pass_.tiling_.n_sweep * (part + 1) / pass_.parts_;
    use_part(task);
    group_.seek(group);
    begin_sweep(begin);
    open_rows(group + 1, end);
    start();
    run_tiles(end - begin);
  }

  void begin_sweep(std::int64_t tile) {
    if (pass_.tiling_.n_sweep == 0) return;
    sweep_.seek(tile);
    prepare();
  }

  // Of an input that comes from a RowSource, up to these positions.
  void open_rows(std::int64_t group_end, std::int64_t sweep_end) {
    if (rows_input_ < 0) return;
    const RowWalk& walk = pass_.row_walks_[rows_input_];
    const std::int64_t last_tile = distance_at(pass_.tiling_.groups, group_end - 1, rows_input_) +
                                   distance_at(pass_.tiling_.sweep, sweep_end - 1, rows_input_);
    rows_.open(*args_.rows, walk, last_tile + walk.tile);
  }

  void run_tiles(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      run_tile();
      sweep_.next();
    }
  }

  std::byte* part_of(std::int64_t task) const {
    return args_.workspace + static_cast<std::size_t>(task) * pass_.accumulator_bytes_;
  }
  void use_part(std::int64_t task) { accumulators_ = part_of(task); }

  std::byte* base(int operand) const {
    return operand < pass_.n_inputs_ ? args_.inputs[operand]
                                     : args_.outputs[pass_.outputs_[operand - pass_.n_inputs_]];
  }
  std::byte* address(int operand) {
    const std::int64_t distance = group_distance_[operand] + sweep_distance_[operand];
    return operand == rows_input_ ? rows_.at(distance) : base(operand) + distance;
  }

  std::int64_t cell_rows() const {
    return pass_.tiling_.row.reduced ? 1 : pass_.tiling_.row.extent_at(group_, sweep_);
  }
  std::int64_t cell_cols() const {
    return pass_.tiling_.col.reduced ? 1 : pass_.tiling_.col.extent_at(group_, sweep_);
  }

  Rectangle rectangle(int operand, std::int64_t rows, std::int64_t cols) const {
    return {rows, cols, pass_.tiling_.row.strides[operand], pass_.tiling_.col.strides[operand]};
  }

  // Points the registers to their blocks, and loads what stays the same for all tiles.
  void prepare() {
    std::byte* const blocks = memory_ + pass_.scratch_.blocks;
    for (std::size_t reg = 0; reg < pass_.tile_.blocks.size(); ++reg) {
      const int block = pass_.tile_.blocks[reg];
      if (block >= 0)
        pointers_[reg] = blocks + static_cast<std::size_t>(block) * pass_.block_bytes_;
    }
    for (const TileOp& op : pass_.tile_.once) {
      load_block(base(op.operand),
                 rectangle(op.operand, pass_.tiling_.row.extent, pass_.tiling_.col.extent),
                 pass_.items_[op.operand], pointers_[op.reg]);
    }
  }

  void start() {
    if (pass_.accumulator_bytes_ == 0) return;
    const auto count = static_cast<std::size_t>(cell_rows() * cell_cols());
    for (const Pass::Reduced& reduced : pass_.reduced_) {
      if (reduced.reduction != nullptr)
        reduced.reduction->start(accumulators_ + reduced.offset, count);
    }
  }

  void run_tile() {
    const std::int64_t rows = pass_.tiling_.row.extent_at(group_, sweep_);
    const std::int64_t cols = pass_.tiling_.col.extent_at(group_, sweep_);
    const auto count = static_cast<std::size_t>(rows * cols);
    for (const Placed& placed : pass_.tile_.placed) pointers_[placed.reg] = address(placed.operand);
    for (const TileOp& op : pass_.tile_.each) {
      switch (op.kind) {
        case TileOp::Kind::kCompute: {
          const void* const sources[3] = {pointers_[op.sources[0]], pointers_[op.sources[1]],
                                          pointers_[op.sources[2]]};
          op.fn(sources, pointers_[op.reg], count);
          break;
        }
        case TileOp::Kind::kLoad:
          load_block(address(op.operand), rectangle(op.operand, rows, cols),
                     pass_.items_[op.operand], pointers_[op.reg]);
          break;
        case TileOp::Kind::kStore:
          store_block(pointers_[op.reg], rectangle(op.operand, rows, cols),
                      pass_.items_[op.operand], address(op.operand));
          break;
        case TileOp::Kind::kReduce:
          reduce(pass_.reduced_[op.operand - pass_.n_inputs_], pointers_[op.reg], rows, cols);
          break;
      }
    }
  }

  void reduce(const Pass::Reduced& reduced, const std::byte* block, std::int64_t rows,
              std::int64_t cols) {
    const BlockReduction& reduction = *reduced.reduction;
    std::byte* accumulator = accumulators_ + reduced.offset;
    const bool reduces_rows = pass_.tiling_.row.reduced || rows == 1;
    const bool reduces_cols = pass_.tiling_.col.reduced;
    if (reduces_rows == reduces_cols) {
      const auto count = static_cast<std::size_t>(rows * cols);
      (reduces_cols ? reduction.fold : reduction.merge)(block, accumulator, count);
      return;
    }
    const std::size_t row_bytes = static_cast<std::size_t>(cols) * size_of(reduction.in);
    const std::size_t step = reduces_rows ? 0 : reduction.acc_bytes;
    const auto count = static_cast<std::size_t>(cols);
    for (std::int64_t row = 0; row < rows; ++row) {
      (reduces_cols ? reduction.fold : reduction.merge)(block, accumulator, count);
      block += row_bytes;
      accumulator += step;
    }
  }

  void finish() {
    for (const Pass::Reduced& reduced : pass_.reduced_) {
      if (reduced.reduction == nullptr) continue;
      const std::int64_t rows = cell_rows();
      const std::int64_t cols = cell_cols();
      const auto item = static_cast<std::int64_t>(pass_.items_[reduced.operand]);
      const Rectangle cells = rectangle(reduced.operand, rows, cols);
      const bool dense =
          (cols == 1 || cells.col_stride == item) && (rows == 1 || cells.row_stride == item * cols);
      std::byte* const to = base(reduced.operand) + group_distance_[reduced.operand];
      std::byte* const finished = dense ? to : memory_ + pass_.scratch_.finished;
      reduced.reduction->finish(accumulators_ + reduced.offset, finished,
                                static_cast<std::size_t>(rows * cols));
      if (!dense) store_block(finished, cells, pass_.items_[reduced.operand], to);
    }
  }

  const Pass& pass_;
  const RunArgs& args_;
  std::byte* memory_;
  std::byte** pointers_;  // to the registers
  std::int64_t* group_distance_;
  std::int64_t* sweep_distance_;
  std::byte* accumulators_;
  Walk group_;
  Walk sweep_;
  int rows_input_ = -1;
  RowWindow rows_;
};

Status Pass::bind(const ElementwiseProgram& program, std::vector<int> outputs,
                  std::span<const Layout> input_layouts, std::span<const Layout> output_layouts,
                  std::span<const std::int64_t> shape) {
  outputs_ = std::move(outputs);
  n_inputs_ = program.n_inputs;
  items_.clear();
  reduced_.clear();
  row_walks_.clear();
  for (const Layout& layout : input_layouts) items_.push_back(size_of(layout.dtype));
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    items_.push_back(size_of(output_layouts[outputs_[i]].dtype));
    reduced_.push_back({.reduction = program.outputs[outputs_[i]].reduction,
                        .operand = n_inputs_ + static_cast<int>(i)});
  }
  const auto axes = make_axes(program, outputs_, input_layouts, output_layouts, shape);
  for (const std::int64_t block : kBlocks) {
    tiling_ = make_tiling(axes, block, items_.size());
    tile_ = make_tile_program(program, outputs_, tiling_);
    lay_out_scratch(items_.size());
    if (scratch_.bytes <= kScratchBytes) {
      estimate_cost(program);
      cut();
      find_row_walks(program, input_layouts);
      single_ = SingleTile::make(program, outputs_, tiling_, tile_, items_);
      return {};
    }
  }
  return Status::bad_plan("a program must have fewer registers in use at a time");
}

void Pass::find_row_walks(const ElementwiseProgram& program, std::span<const Layout> layouts) {
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const auto stays = [&](int number) {
      const ProgramOutput& output = program.outputs[number];
      return output.reg == static_cast<int>(i) && !output.shared.empty();
    };
    const bool is_written = std::ranges::none_of(outputs_, stays);
    row_walks_.push_back(is_written ? walk_by_rows(layouts[i], tiling_, i) : RowWalk{});
  }
}

// A product must keep as many threads busy as it would alone.
bool Pass::takes_rows(std::size_t input) const {
  return row_walks_[input].row != 0 && n_tasks(groups_with_rows_) >= kEnoughTasks;
}

std::int64_t Pass::cells_per_group() const {
  return (tiling_.row.reduced ? 1 : tiling_.row.extent) *
         (tiling_.col.reduced ? 1 : tiling_.col.extent);
}

void Pass::lay_out_scratch(std::size_t n_operands) {
  const auto cells = static_cast<std::size_t>(cells_per_group());
  const auto elements = static_cast<std::size_t>(tiling_.row.extent * tiling_.col.extent);
  accumulator_bytes_ = 0;
  std::size_t finished = 0;
  for (Reduced& reduced : reduced_) {
    if (reduced.reduction == nullptr) continue;
    reduced.offset = accumulator_bytes_;
    accumulator_bytes_ += align_up(cells * reduced.reduction->acc_bytes);
    finished = std::max(finished, align_up(cells * size_of(reduced.reduction->out)));
  }
  block_bytes_ = align_up(elements * tile_.item_bytes);
  scratch_.group = align_up(tile_.blocks.size() * sizeof(std::byte*));
  scratch_.sweep = scratch_.group + align_up(n_operands * sizeof(std::int64_t));
  scratch_.accumulators = scratch_.sweep + align_up(n_operands * sizeof(std::int64_t));
  scratch_.finished = scratch_.accumulators + accumulator_bytes_;
  scratch_.blocks = scratch_.finished + finished;
  scratch_.bytes = scratch_.blocks + static_cast<std::size_t>(tile_.n_blocks) * block_bytes_;
}

void Pass::estimate_cost(const ElementwiseProgram& program) {
  constexpr double kPerTile = 10;
  constexpr double kPerOp = 3;
  constexpr double kPerMovedElement = 0.3;
  constexpr double kPerStreamedByte = 0.04;
  const double elements = static_cast<double>(tiling_.row.extent * tiling_.col.extent);
  tile_cost_ = kPerTile;
  for (const Placed& placed : tile_.placed) {
    tile_cost_ += elements * static_cast<double>(items_[placed.operand]) * kPerStreamedByte;
  }
  for (const TileOp& op : tile_.each) {
    tile_cost_ += kPerOp;
    const double lines = elements * static_cast<double>(size_of(program.dtypes[op.reg])) / 64;
    if (op.kind == TileOp::Kind::kCompute) {
      tile_cost_ += lines * static_cast<double>(program.instructions[op.reg - n_inputs_].op->cost);
    } else if (op.kind == TileOp::Kind::kReduce) {
      tile_cost_ += lines * static_cast<double>(reduced_[op.operand - n_inputs_].reduction->cost);
    } else {
      tile_cost_ += elements * kPerMovedElement;
    }
  }
}

void Pass::cut() {
  const auto wanted =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(kTaskNanoseconds / tile_cost_));
  const std::int64_t sweep = std::max<std::int64_t>(1, tiling_.n_sweep);
  groups_per_task_ = std::max<std::int64_t>(1, wanted / sweep);
  parts_ = 1;
  if (tiling_.n_groups < kManyGroups && sweep > wanted) {
    parts_ = std::min((sweep + wanted - 1) / wanted, kMaxParts);
    if (parts_ > 2) parts_ = std::min(sweep, (parts_ + kTogether - 1) / kTogether * kTogether);
  }
  groups_with_rows_ =
      std::clamp<std::int64_t>(tiling_.n_groups / kEnoughTasks, 1, groups_per_task_);
}

std::int64_t Pass::n_tasks(std::int64_t groups_of_task) const {
  return (tiling_.n_groups + groups_of_task - 1) / groups_of_task * parts_;
}

std::size_t Pass::workspace_bytes() const {
  return parts_ > 1 ? static_cast<std::size_t>(tiling_.n_groups * parts_) * accumulator_bytes_ : 0;
}

void Pass::run_tasks(const RunArgs& args) const noexcept {
  const std::int64_t tasks = n_tasks(groups_of_task(args));
  parallel_for(
      tasks, [&](std::int64_t task) { run_task(args, task); }, cost() / static_cast<double>(tasks));
  if (parts_ > 1) {
    parallel_for(
        tiling_.n_groups, [&](std::int64_t group) { join_parts(args, group); },
        static_cast<double>(parts_ * cells_per_group()));
  }
}

void Pass::run_task(const RunArgs& args, std::int64_t task) const noexcept {
  alignas(kAlignment) std::byte memory[kScratchBytes];
  TaskRun(*this, args, memory).run(task);
}

void Pass::join_parts(const RunArgs& args, std::int64_t group) const noexcept {
  alignas(kAlignment) std::byte memory[kScratchBytes];
  TaskRun(*this, args, memory).join(group);
}

}  // namespace arignote
