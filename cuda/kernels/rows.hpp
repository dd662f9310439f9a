// Softmax of rows, and what is made of it: see cpp/kernels/nnet.cpp and nll.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/indices.hpp"

namespace arignote::device {

enum class RowWork : std::uint8_t { kSoftmax, kLogSoftmax, kNll, kNllGradient };

// All strides and steps are in bytes.
struct RowsArgs {
  const std::byte* x;
  std::byte* out;  // of kNll: null
  const Fault* fault;
  DType dtype;  // of x and out: kFloat32, kFloat64 or, of kNllGradient, that of halves
  RowWork work;
  std::int64_t rows;
  std::int64_t length;
  std::int64_t x_step;  // from element to element of a row
  std::int64_t out_step;
  int ndim;  // the axes of the rows
  std::int64_t shape[kMaxDims];
  std::int64_t x_strides[kMaxDims];
  std::int64_t out_strides[kMaxDims];
};

// Of rows that have labels: the first ones, all of them for kNll. Those are in range. Weights and
// losses are of the dtype of x, or float32 beside halves.
struct RowLabels {
  IndexArgs index;
  const std::byte* weights;
  std::int64_t weight_stride;
  std::byte* losses;  // without gaps, or null
};

// What is known of a row.
struct RowSeen {
  double max;
  double sum;  // of exp(x - max)
  double score;  // of its label
};

// Of x that is a part of the columns: those from `first` on.
struct RowPart {
  std::int64_t first;
  RowSeen* seen;  // of each row, in the parts before
};

// out may be x itself.
int launch_rows(const RowsArgs& args, const RowLabels& labels, Stream stream);
// The same in two steps for kNllGradient, each for one part after another. The first one begins at
// the first column.
int launch_observe(const RowsArgs& args, const RowLabels& labels, const RowPart& part,
                   Stream stream);
int launch_write(const RowsArgs& args, const RowLabels& labels, const RowPart& part, Stream stream);

}  // namespace arignote::device
