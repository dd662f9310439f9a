#include "kernels/turns.hpp"

#include "kernels/elements.cuh"

namespace arignote::device {
namespace {

template <class Item>
ARN_KERNEL copy_of_turn(TurnArgs copy) {
  const std::int64_t item = element_of_thread();
  const auto count = static_cast<std::int64_t>(copy.bytes / sizeof(Item));
  if (item >= count || copy.fault->step >= 0) return;
  const std::int64_t number = *copy.turn;
  const std::int64_t offset =
      copy.from_offsets != nullptr ? copy.from_offsets[number] : number * copy.from_step;
  const auto* const from = reinterpret_cast<const Item*>(copy.from + offset);
  auto* const to = reinterpret_cast<Item*>(copy.to + number * copy.to_step);
  to[item] = from[item];
}

ARN_KERNEL end_turn(std::int64_t* turn, const Fault* fault) {
  if (fault->step < 0) ++*turn;
}

}  // namespace

int load_turns() {
  int error = load(end_turn);
  for (const std::size_t item : {1, 2, 4, 8, 16}) {
    if (error != 0) return error;
    error = visit_item(
        item, []<class Item>(std::type_identity<Item>) { return load(copy_of_turn<Item>); });
  }
  return error;
}

int launch_copy_of_turn(const TurnArgs& args, Stream stream) {
  if (args.bytes == 0) return 0;
  const Grid grid = grid_for(static_cast<std::int64_t>(args.bytes / args.item));
  return visit_item(args.item, [&]<class Item>(std::type_identity<Item>) {
    return launch(copy_of_turn<Item>, grid, stream, args);
  });
}

int launch_end_turn(std::int64_t* turn, const Fault* fault, Stream stream) {
  return launch(end_turn, {.threads = 1}, stream, turn, fault);
}

}  // namespace arignote::device
