// One position in each row of a matrix, such as the label of what the row scores.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/status.hpp"
#include "core/view.hpp"
#include "kernels/index_operand.hpp"
#include "kernels/strided.hpp"

namespace arignote {

class RowPositions {
 public:
  static constexpr std::int64_t kGroup = 64;  // rows whose offsets are on the stack together

  // dtype must satisfy is_index_dtype.
  explicit RowPositions(DType dtype) : positions_({&dtype, 1}) {}

  // Of rows of so many elements that lie so many bytes apart.
  bool plan(const Layout& y, std::int64_t length, std::int64_t stride) noexcept {
    Layout row{.dtype = y.dtype, .ndim = 1};
    row.shape[0] = length;
    row.strides[0] = stride;
    return positions_.plan({&y, 1}, row);
  }
  std::int64_t count() const { return positions_.count(); }

  // visit(first, rows, offsets) for groups of rows, with the bytes from each row's start to its
  // position; a task has `grain` rows. Fails at the first position out of range.
  template <class Visit>
  Status for_each_group(std::byte* y, std::int64_t grain, Visit&& visit) const noexcept {
    FirstBad bad;
    const std::span<std::byte* const> operand(&y, 1);
    parallel_ranges(count(), grain, [&](std::int64_t first, std::int64_t last) {
      std::int64_t offsets[kGroup];
      for (; first < last; first += kGroup) {
        const std::int64_t rows = std::min(kGroup, last - first);
        const std::int64_t position = positions_.resolve(operand, first, first + rows, offsets);
        if (position != IndexOperands::kNone) return bad.note(position);
        visit(first, rows, offsets);
      }
    });
    return bad.found() ? positions_.error_at(operand, bad.position()) : Status{};
  }

 private:
  IndexOperands positions_;
};

}  // namespace arignote
