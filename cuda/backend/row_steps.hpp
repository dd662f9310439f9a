// The steps of a body as those of one kernel that works on a tile of rows after another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/row_operands.hpp"
#include "kernels/program.hpp"
#include "kernels/row_block.hpp"

namespace arignote::device {

class RowSteps {
 public:
  // `is_sum` tells of each output of the body whether it is a sum over all rows. Numbers are those
  // of products.
  RowSteps(const Program& body, RowOperands& rows, std::span<const std::int64_t> is_sum,
           DType numbers)
      : body_(body.plan), rows_(rows), is_sum_(is_sum), numbers_(numbers) {}

  // False for a step whose results do not follow row by row, or are many.
  bool add(int number);
  // Whether a step makes an output that is a sum.
  bool has_sum(int output) const;

  std::vector<RowStep> steps;
  std::vector<Operation> operations;
  std::vector<RowReduction> reductions;
  std::vector<HeldFactor> factors;
  std::vector<RowSum> sums;
  bool has_labels = false;
  std::int64_t n_results = 0;  // of all sums
  // Bytes of shared memory whatever the tile, and of a chunk's partial sums.
  std::int64_t factor_bytes = 0;
  std::int64_t sum_bytes = 0;
  std::int64_t partial_bytes = 0;
  // Those of what is to be reduced of each row.
  std::int64_t scratch_row = 0;

 private:
  // Those of a matrix; kNone for one that it has not.
  struct Axes {
    int rows = kNone;
    int columns = kNone;
  };

  RowStep step_of(RowStep::Kind kind, std::int64_t columns) const;
  bool add_operands(std::span<const int> ids, std::int64_t columns);
  bool add_factor(int id, Axes axes, bool is_in_pieces);
  std::int32_t add_sum(RowSum sum, std::int64_t item);
  bool is_sum(int id) const;

  bool add_dot(const Step& step);
  bool add_product(int left, Axes axes, int factor, int factor_columns, int factor_depth, int out,
                   int out_columns);
  bool add_outer(const Step& step, Axes a, Axes b);
  bool add_argmax(const Step& step);
  bool add_rows(const Step& step, RowStep::Kind kind);
  bool add_program(const Step& step);
  bool add_elements(const Step& step, const ElementwiseProgram& program, Axes axes);
  bool add_reduction(int out, const ProgramOutput& output, int slot, Axes axes, RowStep& step,
                     std::int64_t& scratch);

  const Plan& body_;
  RowOperands& rows_;
  std::span<const std::int64_t> is_sum_;
  DType numbers_;
  int number_ = 0;  // of the step at work
};

}  // namespace arignote::device
