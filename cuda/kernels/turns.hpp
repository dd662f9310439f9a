// What differs between the turns of a loop that the device runs by itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// Bytes that lie elsewhere in each turn, as runtime/backend.hpp has it.
struct TurnArgs {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes;
  std::int64_t to_step;
  std::int64_t from_step;
  const std::int64_t* from_offsets;
  std::size_t item;
  const std::int64_t* turn;
  const Fault* fault;
};

// Brings these kernels to the device, so that they can be kept for a graph.
int load_turns();
int launch_copy_of_turn(const TurnArgs& args, Stream stream);
int launch_end_turn(std::int64_t* turn, const Fault* fault, Stream stream);

}  // namespace arignote::device
