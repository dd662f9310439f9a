// One walk over the operands of an elementwise program, cut into tasks by shape alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/program.hpp"
#include "kernels/program_rows.hpp"
#include "kernels/program_single.hpp"
#include "kernels/program_tile.hpp"

namespace arignote {

class Pass {
 public:
  // `outputs` are the numbers of those that this pass makes; those with a reduction must reduce the
  // same axes, but for axes of length one. `shape` is what the inputs are broadcast to.
  Status bind(const ElementwiseProgram& program, std::vector<int> outputs,
              std::span<const Layout> input_layouts, std::span<const Layout> output_layouts,
              std::span<const std::int64_t> shape);

  std::size_t workspace_bytes() const;
  // Whether it can take an input from a RowSource.
  bool takes_rows(std::size_t input) const;
  double cost() const { return tile_cost_ * static_cast<double>(tiles()); }
  void run(const RunArgs& args) const noexcept {
    if (single_ != nullptr) return single_->run(args);
    run_tasks(args);
  }

 private:
  friend class TaskRun;

  // A reduced output: where its accumulators lie among those of a group.
  struct Reduced {
    const BlockReduction* reduction = nullptr;
    int operand = 0;
    std::size_t offset = 0;
  };

  // Parts of the scratch memory of a task, which lies on its stack and stays in L1.
  struct Scratch {
    std::size_t group = 0;  // distances of the operands
    std::size_t sweep = 0;
    std::size_t accumulators = 0;
    std::size_t finished = 0;  // results on their way to an output that is not dense
    std::size_t blocks = 0;    // after the pointers to the registers
    std::size_t bytes = 0;
  };

  std::int64_t tiles() const { return tiling_.n_groups * tiling_.n_sweep; }
  std::int64_t cells_per_group() const;
  void lay_out_scratch(std::size_t n_operands);
  void find_row_walks(const ElementwiseProgram& program, std::span<const Layout> layouts);
  void estimate_cost(const ElementwiseProgram& program);
  void cut();
  std::int64_t n_tasks(std::int64_t groups_of_task) const;
  std::int64_t groups_of_task(const RunArgs& args) const {
    return args.rows != nullptr ? groups_with_rows_ : groups_per_task_;
  }
  void run_tasks(const RunArgs& args) const noexcept;
  void run_task(const RunArgs& args, std::int64_t task) const noexcept;
  void join_parts(const RunArgs& args, std::int64_t group) const noexcept;

  std::vector<int> outputs_;
  std::vector<std::size_t> items_;  // bytes per element, by operand
  int n_inputs_ = 0;
  std::vector<RowWalk> row_walks_;  // by input
  Tiling tiling_;
  TileProgram tile_;
  std::vector<Reduced> reduced_;         // by output of the pass; null where it is not reduced
  std::size_t accumulator_bytes_ = 0;    // of one group
  std::size_t block_bytes_ = 0;
  Scratch scratch_;
  double tile_cost_ = 0;
  std::unique_ptr<SingleTile> single_;  // instead of all that, where it suits

  // A task is either some whole groups, or one of several parts of one group's sweep.
  std::int64_t groups_per_task_ = 1;
  std::int64_t groups_with_rows_ = 1;  // instead, if rows of an input have to be computed
  std::int64_t parts_ = 1;
};

}  // namespace arignote
