#include "kernels/index.hpp"

#include "kernels/scalar_ops.cuh"

namespace arignote::device {
namespace {

// The bits of the index that array j has at a position.
ARN_DEVICE Bits index_at(const IndexArgs& index, int array, std::int64_t position) {
  const std::byte* at = index.data[array];
  for (int axis = index.ndim - 1; axis >= 0; --axis) {
    const std::int64_t above = position / index.shape[axis];
    at += (position - above * index.shape[axis]) * index.strides[array][axis];
    position = above;
  }
  return load_bits(index.dtypes[array], at);
}

// As unsigned numbers, everything below zero and above the signed ones is too large as well.
ARN_DEVICE Bits wrapped(const IndexArgs& index, int array, Bits bits) {
  const bool is_negative = is_signed(index.dtypes[array]) && value_of<std::int64_t>(bits) < 0;
  return is_negative ? bits + static_cast<Bits>(index.lengths[array]) : bits;
}

ARN_DEVICE bool is_outside(const IndexArgs& index, int array, std::int64_t position) {
  return wrapped(index, array, index_at(index, array, position)) >=
         static_cast<Bits>(index.lengths[array]);
}

// In bytes from the first element of the array.
ARN_DEVICE std::int64_t offset_of(const IndexArgs& index, std::int64_t position) {
  std::int64_t offset = position * index.position_step;
  for (int array = 0; array < index.arrays; ++array) {
    const Bits place = wrapped(index, array, index_at(index, array, position));
    offset += static_cast<std::int64_t>(place) * index.steps[array];
  }
  return offset;
}

ARN_KERNEL find_outside(IndexArgs index, Fault* fault) {
  const std::int64_t position = block_index() * block_threads() + thread_index();
  if (position >= index.count || fault->step >= 0) return;
  for (int array = 0; array < index.arrays; ++array) {
    if (is_outside(index, array, position)) return atomic_min(&fault->position, position);
  }
}

// One thread says what has been found.
ARN_KERNEL record_outside(IndexArgs index, int step, Fault* fault) {
  if (fault->step >= 0 || fault->position == kNowhere) return;
  for (int array = 0; array < index.arrays; ++array) {
    if (!is_outside(index, array, fault->position)) continue;
    fault->value = value_of<std::int64_t>(index_at(index, array, fault->position));
    fault->length = index.lengths[array];
    fault->is_unsigned = is_signed(index.dtypes[array]) ? 0 : 1;
    fault->step = step;
    return;
  }
}

struct Bytes16 {
  std::uint64_t low;
  std::uint64_t high;
};

template <class Item>
ARN_KERNEL take_elements(TakeArgs t) {
  const std::int64_t element = block_index() * block_threads() + thread_index();
  if (element >= t.index.count * t.row || t.fault->step >= 0) return;
  const std::int64_t position = element / t.row;
  std::int64_t rest = element - position * t.row;
  std::int64_t offset = offset_of(t.index, position);
  for (int axis = t.ndim - 1; axis >= 0; --axis) {
    const std::int64_t above = rest / t.shape[axis];
    offset += (rest - above * t.shape[axis]) * t.strides[axis];
    rest = above;
  }
  reinterpret_cast<Item*>(t.out)[element] = *reinterpret_cast<const Item*>(t.x + offset);
}

ARN_KERNEL place_elements(PlaceArgs p) {
  const std::int64_t position = block_index() * block_threads() + thread_index();
  if (position >= p.index.count || p.fault->step >= 0) return;
  std::byte* const to = p.out + offset_of(p.index, position);
  const std::byte* const from = p.v + position * p.v_step;
  if (!p.adds) return move_element(p.dtype, from, to);
  store_bits(p.dtype, add_bits(p.dtype, load_bits(p.dtype, to), load_bits(p.dtype, from)), to);
}

std::int64_t blocks_for(std::int64_t threads) {
  return (threads + kBlockThreads - 1) / kBlockThreads;
}

}  // namespace

int launch_check(const IndexArgs& index, int step, Fault* fault, Stream stream) {
  if (index.count == 0) return 0;
  const int error = launch(find_outside, {.blocks = blocks_for(index.count)}, stream, index, fault);
  if (error != 0) return error;
  return launch(record_outside, {.threads = 1}, stream, index, step, fault);
}

int launch_take(const TakeArgs& args, std::size_t item, Stream stream) {
  if (args.index.count * args.row == 0) return 0;
  const Grid grid{.blocks = blocks_for(args.index.count * args.row)};
  switch (item) {
    case 1: return launch(take_elements<std::uint8_t>, grid, stream, args);
    case 2: return launch(take_elements<std::uint16_t>, grid, stream, args);
    case 4: return launch(take_elements<std::uint32_t>, grid, stream, args);
    case 8: return launch(take_elements<std::uint64_t>, grid, stream, args);
    default: return launch(take_elements<Bytes16>, grid, stream, args);
  }
}

int launch_place(const PlaceArgs& args, Stream stream) {
  if (args.index.count == 0) return 0;
  return launch(place_elements, {.blocks = blocks_for(args.index.count)}, stream, args);
}

}  // namespace arignote::device
