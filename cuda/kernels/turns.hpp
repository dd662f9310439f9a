// What differs between the turns of a loop that the device runs by itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// Bytes that lie elsewhere in each turn, as runtime/backend.hpp has it.
struct TurnCopyArgs {
  std::byte* to;
  const std::byte* from;
  std::int64_t bytes;
  std::int64_t to_step;
  std::int64_t from_step;
  const std::int64_t* from_offsets;
  std::int64_t item;
};

inline constexpr int kMostTurnCopies = 16;

struct TurnArgs {
  TurnCopyArgs copies[kMostTurnCopies];
  int count;
  const std::int64_t* turn;
  const Fault* fault;
};

// Brings these kernels to the device, so that they can be kept for a graph.
int load_turns();
int launch_copies_of_turn(const TurnArgs& args, Stream stream);
// Goes on to the next turn when all has been copied, by one block.
int launch_end_turn(const TurnArgs& args, std::int64_t* turn, Stream stream);

}  // namespace arignote::device
