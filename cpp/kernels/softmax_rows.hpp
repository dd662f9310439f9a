// The vectorised part of softmax and log_softmax, chosen for the SIMD target in force.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"

namespace arignote {

// Rows of elements without gaps; strides lead from row to row, in bytes. out may be x itself.
struct RowBlock {
  const std::byte* x;
  std::int64_t x_stride;
  std::byte* out;
  std::int64_t out_stride;
  std::int64_t rows;
  std::int64_t length;
};

// What a stretch of a row adds to its sum of exponentials: sum(exp(x - max)). A stretch of nothing
// but -inf has the sum zero; a NaN or +inf anywhere makes the sum NaN.
struct ExpSum {
  double max;
  double sum;
};

struct SoftmaxRows {
  // out = softmax of each row, times weights[row] unless weights is null; sums[row] of each row
  // unless sums is null.
  void (*softmax)(const RowBlock& block, const double* weights, ExpSum* sums) noexcept;
  // For rows that are done in stretches, and for log_softmax:
  // sums[row] of each row, and out = exp(x - max).
  void (*exponentials)(const RowBlock& block, ExpSum* sums) noexcept;
  // sums[row] of each row; out is not written.
  void (*sums)(const RowBlock& block, ExpSum* sums) noexcept;
  // out *= factor; x is not read.
  void (*scale)(const RowBlock& block, double factor) noexcept;
  // out = x - totals[row].max - totals[row].sum
  void (*shift)(const RowBlock& block, const ExpSum* totals) noexcept;
  // sums[i].sum = log(sums[i].sum)
  void (*log_sums)(ExpSum* sums, std::int64_t count) noexcept;
};

// dtype is kFloat32 or kFloat64.
SoftmaxRows softmax_rows(DType dtype);

}  // namespace arignote
