// Writing rows to places that index arrays mean, of which several may mean the same.
#pragma once

#include "kernels/copy.hpp"
#include "kernels/indices.hpp"

namespace arignote::device {

// One row on its way: how far from the first one, in bytes.
struct Move {
  std::int64_t to;
  std::int64_t from;
};

// out[index i, r] = v[i, r], or += v[i, r] as `adds` says, in the order of the positions i.
struct PutArgs {
  IndexArgs index;
  std::int64_t v_strides[kMaxDims];  // along the axes of the index arrays, in bytes
  CopyArgs row;  // the first one of v to the first one of out
  Move* moves;  // room for two of each position
  DType dtype;
  bool adds;
};
int launch_put(const PutArgs& args, Stream stream);

}  // namespace arignote::device
