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
