// Rows of halves that are computed with as float32, some of them at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/buffer.hpp"
#include "core/division.hpp"
#include "core/dtype.hpp"
#include "kernels/block.hpp"
#include "kernels/softmax_rows.hpp"

namespace arignote {

class HalfRows {
 public:
  explicit HalfRows(DType half) {
    constexpr DType kWide = DType::kFloat32;
    widen_ = find_block_op("cast", {&half, 1}, kWide)->fn;
    narrow_ = find_block_op("cast", {&kWide, 1}, half)->fn;
  }

  void plan(std::int64_t rows, std::int64_t length) noexcept {
    const std::int64_t some = std::max<std::int64_t>(1, length);
    length_ = length;
    at_once_ = std::max<std::int64_t>(1, kFloats / some);
    grain_ = std::max({std::int64_t{1}, kTaskFloats / some, ceil_div(rows, kMostTasks)});
    const std::int64_t bytes = std::min(at_once_, rows) * row_bytes();
    task_bytes_ = static_cast<std::int64_t>(align_up(static_cast<std::size_t>(bytes)));
    tasks_ = ceil_div(rows, grain_);
  }

  // Rows of a task, each of which has floats of its own.
  std::int64_t grain() const { return grain_; }
  std::size_t workspace_bytes() const { return static_cast<std::size_t>(tasks_ * task_bytes_); }

  // work(floats, i) for those of a block's rows from the i-th on, of which floats.x and floats.out
  // are the same. `first` is the number of the block's first row.
  template <class Work>
  void for_some(const RowBlock& block, std::int64_t first, std::byte* workspace,
                Work&& work) const noexcept {
    std::byte* const floats = workspace + first / grain_ * task_bytes_;
    for (std::int64_t i = 0; i < block.rows; i += at_once_) {
      const std::int64_t rows = std::min(at_once_, block.rows - i);
      const std::byte* const x = block.x + i * block.x_stride;
      std::byte* const out = block.out + i * block.out_stride;
      for_runs(block.x_stride, rows, [&](std::int64_t half, std::int64_t wide, std::size_t count) {
        const void* in = x + half;
        widen_(&in, floats + wide, count);
      });
      work(RowBlock{.x = floats,
                    .x_stride = row_bytes(),
                    .out = floats,
                    .out_stride = row_bytes(),
                    .rows = rows,
                    .length = length_},
           i);
      for_runs(block.out_stride, rows,
               [&](std::int64_t half, std::int64_t wide, std::size_t count) {
                 const void* in = floats + wide;
                 narrow_(&in, out + half, count);
               });
    }
  }

 private:
  static constexpr std::int64_t kFloats = 1 << 12;  // with their halves in an L1 cache
  static constexpr std::int64_t kTaskFloats = 1 << 16;
  static constexpr std::int64_t kMostTasks = 64;  // of long rows each takes much memory

  std::int64_t row_bytes() const { return length_ * static_cast<std::int64_t>(sizeof(float)); }

  // visit(bytes to halves, bytes to floats, count) for the runs that rows consist of.
  template <class Visit>
  void for_runs(std::int64_t half_stride, std::int64_t rows, Visit&& visit) const {
    const auto length = static_cast<std::size_t>(length_);
    const auto count = static_cast<std::size_t>(rows);
    if (half_stride == row_bytes() / 2) return visit(0, 0, count * length);
    for (std::int64_t row = 0; row < rows; ++row) {
      visit(row * half_stride, row * row_bytes(), length);
    }
  }

  BlockFn widen_;
  BlockFn narrow_;
  std::int64_t length_ = 0;
  std::int64_t at_once_ = 1;
  std::int64_t grain_ = 1;
  std::int64_t task_bytes_ = 0;
  std::int64_t tasks_ = 0;
};

}  // namespace arignote
