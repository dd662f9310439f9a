// Reading and writing elements by position.
#pragma once

#include "kernels/axes.hpp"
#include "kernels/indices.hpp"

namespace arignote::device {

// out[i, r] = x[index i, r], for rows of any layout.
struct TakeArgs {
  IndexArgs index;
  const std::byte* x;
  std::byte* out;
  const Fault* fault;
  std::int64_t row;  // elements in each
  WalkAxes axes;     // of x along a row
};
int launch_take(const TakeArgs& args, std::size_t item, Stream stream);

// out[index i] = v[i], or += v[i] as `adds` says: the positions mean different elements.
struct PlaceArgs {
  IndexArgs index;
  const std::byte* v;
  std::byte* out;
  const Fault* fault;
  std::int64_t v_step;  // in bytes
  DType dtype;
  bool adds;
};
int launch_place(const PlaceArgs& args, Stream stream);

}  // namespace arignote::device
