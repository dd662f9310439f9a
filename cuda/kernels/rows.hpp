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
  bool is_observed;  // all parts have been
  RowSeen* seen;     // of each row
};

// out may be x itself.
int launch_rows(const RowsArgs& args, const RowLabels& labels, Stream stream);
// The same for kNllGradient in two steps, of which each is done for one part after another: parts
// are observed, from the first one on, and what follows from all that was seen is written.
int launch_part(const RowsArgs& args, const RowLabels& labels, const RowPart& part, Stream stream);

}  // namespace arignote::device
