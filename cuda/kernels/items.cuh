// Elements that are moved, whatever they are: by their size alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arignote::device {

struct alignas(16) Bytes16 {
  std::uint64_t low;
  std::uint64_t high;
};

// Returns work(item) with an item of 1, 2, 4, 8 or 16 bytes.
template <class Work>
int with_item(std::size_t bytes, Work&& work) {
  switch (bytes) {
    case 1: return work(std::uint8_t{});
    case 2: return work(std::uint16_t{});
    case 4: return work(std::uint32_t{});
    case 8: return work(std::uint64_t{});
    default: return work(Bytes16{});
  }
}

}  // namespace arignote::device
