// From where to where something lies in memory.
#pragma once

#include <cstddef>

namespace arignote {

struct MemoryRange {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;

  static MemoryRange of(const std::byte* memory, std::size_t bytes) {
    return {memory, memory + bytes};
  }
  bool meets(const MemoryRange& other) const { return begin < other.end && other.begin < end; }
  bool operator==(const MemoryRange&) const = default;
};

}  // namespace arignote
