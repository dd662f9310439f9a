// Kernels in which each thread has an element of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "device/language.cuh"

namespace arignote::device {

ARN_DEVICE std::int64_t element_of_thread() {
  return block_index() * block_threads() + thread_index();
}

inline Grid grid_for(std::int64_t elements) {
  return {.blocks = (elements + kBlockThreads - 1) / kBlockThreads};
}

// A launch on the elements of several items: the blocks of each follow those of the one before.
template <int kMost>
struct SharedLaunch {
  std::int64_t first_blocks[kMost] = {};
  int count = 0;
  std::int64_t blocks = 0;

  void add(std::int64_t elements) {
    first_blocks[count++] = blocks;
    blocks += grid_for(elements).blocks;
  }
};

struct ItemElement {
  int item;
  std::int64_t element;  // may lie behind the last one
};

template <int kMost>
ARN_DEVICE ItemElement element_of_thread(const SharedLaunch<kMost>& shared) {
  int item = shared.count - 1;
  while (block_index() < shared.first_blocks[item]) --item;
  return {item, (block_index() - shared.first_blocks[item]) * block_threads() + thread_index()};
}

// Elements of so many bytes begin at a multiple of them, as all memory of the device does.
struct alignas(16) Bytes16 {
  std::uint64_t low;
  std::uint64_t high;
};

// Calls visit(std::type_identity<Item>{}) with what moves elements of so many bytes: 1, 2, 4, 8 or
// 16.
template <class Visit>
int visit_item(std::size_t bytes, Visit&& visit) {
  switch (bytes) {
    case 1: return visit(std::type_identity<std::uint8_t>{});
    case 2: return visit(std::type_identity<std::uint16_t>{});
    case 4: return visit(std::type_identity<std::uint32_t>{});
    case 8: return visit(std::type_identity<std::uint64_t>{});
    default: return visit(std::type_identity<Bytes16>{});
  }
}

}  // namespace arignote::device
