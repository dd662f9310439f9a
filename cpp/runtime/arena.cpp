#include "runtime/arena.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/buffer.hpp"

namespace arignote {
namespace {

bool coexist(const Slot& a, const Slot& b) {
  return a.lifetime.first <= b.lifetime.last && b.lifetime.first <= a.lifetime.last;
}

// The lowest gap that is large enough between the slots placed so far. `placed` is sorted by
// offset.
std::size_t lowest_gap(std::span<const Slot> slots, const std::vector<std::size_t>& placed,
                       const Slot& slot) {
  std::size_t offset = 0;
  for (const std::size_t other : placed) {
    if (!coexist(slots[other], slot)) continue;
    if (offset + slot.bytes <= slots[other].offset) break;
    offset = std::max(offset, align_up(slots[other].offset + slots[other].bytes));
  }
  return offset;
}

}  // namespace

std::size_t lay_out(std::span<Slot> slots) {
  std::vector<std::size_t> order(slots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return slots[a].bytes > slots[b].bytes; });
  std::vector<std::size_t> placed;
  std::size_t total = 0;
  for (const std::size_t index : order) {
    Slot& slot = slots[index];
    slot.offset = lowest_gap(slots, placed, slot);
    total = std::max(total, align_up(slot.offset + slot.bytes));
    const auto after = std::upper_bound(
        placed.begin(), placed.end(), slot.offset,
        [&](std::size_t offset, std::size_t other) { return offset < slots[other].offset; });
    placed.insert(after, index);
  }
  return total;
}

}  // namespace arignote
