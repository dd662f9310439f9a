// Reading and writing elements by position.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/view.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// Index arrays of one shape, the j-th running over axis j of an array. Positions are numbered in C
// order of that shape.
struct IndexArgs {
  std::int64_t count;
  int arrays;
  int ndim;
  std::int64_t shape[kMaxDims];
  const std::byte* data[kMaxDims];
  std::int64_t strides[kMaxDims][kMaxDims];  // by array
  DType dtypes[kMaxDims];
  std::int64_t lengths[kMaxDims];  // of the array's axes
  std::int64_t steps[kMaxDims];    // from one element to the next along them, in bytes
  std::int64_t position_step;  // what each position adds by itself, in bytes
};

// Leaves a fault where an index is out of range.
int launch_check(const IndexArgs& index, int step, Fault* fault, Stream stream);

// out[i, r] = x[index i, r], for rows of any layout.
struct TakeArgs {
  IndexArgs index;
  const std::byte* x;
  std::byte* out;
  const Fault* fault;
  std::int64_t row;  // elements in each
  int ndim;          // of a row
  std::int64_t shape[kMaxDims];
  std::int64_t strides[kMaxDims];  // of x
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
