// How a body's steps become those of one kernel that works on a tile of rows after another.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/row_block.hpp"
#include "runtime/verify.hpp"

namespace arignote::device {

// Rows are cut into so many chunks at most, each of which is a block's: enough to keep any device
// at work, and the same for all, as sums depend on it.
inline std::atomic<std::int64_t> most_row_chunks{512};

struct RowBlockPlan {
  std::vector<RowStep> steps;
  std::vector<RowOperand> operands;
  std::vector<Operation> operations;
  std::vector<RowReduction> reductions;
  std::vector<HeldFactor> factors;
  std::vector<RowStream> streams;
  std::vector<RowSum> sums;
  // Without addresses. Pointers are to be those of the body's inputs, outputs and constants, in
  // this order.
  RowBlockArgs args{};

  // What is not ok says why: the steps are not such that few results of each row follow from the
  // same row, or what they need together does not fit in so much shared memory.
  Status make(const StepSpec& step, const Program& body, std::span<const Layout> inputs,
              std::span<const Layout> outputs, std::int64_t shared_bytes);
};

}  // namespace arignote::device
