#include "kernels/turns.hpp"

#include "kernels/elements.cuh"

namespace arignote::device {
namespace {

template <class Item>
ARN_DEVICE void copy_item(const TurnCopyArgs& copy, std::int64_t item, std::int64_t turn) {
  if (item >= copy.bytes / static_cast<std::int64_t>(sizeof(Item))) return;
  const std::int64_t offset =
      copy.from_offsets != nullptr ? copy.from_offsets[turn] : turn * copy.from_step;
  const auto* const from = reinterpret_cast<const Item*>(copy.from + offset);
  auto* const to = reinterpret_cast<Item*>(copy.to + turn * copy.to_step);
  to[item] = from[item];
}

ARN_DEVICE void copy_one(const TurnCopyArgs& copy, std::int64_t item, std::int64_t turn) {
  switch (copy.item) {
    case 1: return copy_item<std::uint8_t>(copy, item, turn);
    case 2: return copy_item<std::uint16_t>(copy, item, turn);
    case 4: return copy_item<std::uint32_t>(copy, item, turn);
    case 8: return copy_item<std::uint64_t>(copy, item, turn);
    default: return copy_item<Bytes16>(copy, item, turn);
  }
}

using Shared = SharedLaunch<kMostTurnCopies>;

ARN_KERNEL copies_of_turn(ARN_ARGUMENT(TurnArgs, args), ARN_ARGUMENT(Shared, shared)) {
  if (args.fault->step >= 0) return;
  const auto [number, item] = element_of_thread(shared);
  copy_one(args.copies[number], item, *args.turn);
}

ARN_KERNEL end_turn(ARN_ARGUMENT(TurnArgs, args), std::int64_t* next) {
  if (args.fault->step >= 0) return;
  const std::int64_t turn = *args.turn;
  for (int number = 0; number < args.count; ++number) {
    const TurnCopyArgs& copy = args.copies[number];
    for (std::int64_t item = thread_index(); item < copy.bytes / copy.item;
         item += block_threads()) {
      copy_one(copy, item, turn);
    }
  }
  sync_threads();
  if (thread_index() == 0) *next = turn + 1;
}

}  // namespace

int load_turns() {
  const int error = load(copies_of_turn);
  return error != 0 ? error : load(end_turn);
}

int launch_copies_of_turn(const TurnArgs& args, Stream stream) {
  Shared shared;
  for (int i = 0; i < args.count; ++i) shared.add(args.copies[i].bytes / args.copies[i].item);
  if (shared.blocks == 0) return 0;
  return launch(copies_of_turn, {.blocks = shared.blocks}, stream, args, shared);
}

int launch_end_turn(const TurnArgs& args, std::int64_t* turn, Stream stream) {
  return launch(end_turn, {.blocks = 1, .has_barriers = true}, stream, args, turn);
}

}  // namespace arignote::device
