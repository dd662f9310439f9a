// Moving one strided array into another of the same shape.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/view.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

struct CopyArgs {
  std::byte* to;
  const std::byte* from;
  const Fault* fault;
  std::int64_t count;
  int ndim;
  std::int64_t shape[kMaxDims];
  std::int64_t to_strides[kMaxDims];  // in bytes
  std::int64_t from_strides[kMaxDims];
};

// Brings the kernels for elements of all sizes to the device, so that any of them can be kept for a
// graph.
int load_copies();
// Elements of so many bytes: 1, 2, 4, 8 or 16.
int launch_copy(const CopyArgs& args, std::size_t item, Stream stream);

// to += from, for real numbers and bool.
int launch_add(const CopyArgs& args, DType dtype, Stream stream);

// out[i] = start + i * step, of so many elements that lie `out_step` bytes apart.
struct ArangeArgs {
  const std::byte* start;
  const std::byte* step;
  std::byte* out;
  const Fault* fault;
  std::int64_t count;
  std::int64_t out_step;
  DType dtype;
};
int launch_arange(const ArangeArgs& args, Stream stream);

}  // namespace arignote::device
