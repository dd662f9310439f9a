#include "backend/memory.hpp"

#include "backend/api.hpp"

namespace arignote::device {
namespace {

// Sizes come in steps, so that memory fits again.
constexpr std::size_t kSmallStep = 512;
constexpr std::size_t kLargeStep = 1 << 20;

std::size_t rounded(std::size_t bytes) {
  const std::size_t step = bytes < kLargeStep ? kSmallStep : kLargeStep;
  return (bytes + step - 1) / step * step;
}

}  // namespace

std::byte* Memory::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (size < bytes) return nullptr;
  const std::scoped_lock lock(mutex_);
  // Not more than an eighth is wasted.
  const auto found = kept_.lower_bound(size);
  if (found != kept_.end() && found->first <= size + size / 8) {
    std::byte* const memory = found->second;
    kept_.erase(found);
    return memory;
  }
  void* memory = nullptr;
  if (api().allocate(&memory, size) != kNoError) {
    static_cast<void>(give_back());
    if (api().allocate(&memory, size) != kNoError) return nullptr;
  }
  sizes_[static_cast<std::byte*>(memory)] = size;
  return static_cast<std::byte*>(memory);
}

void Memory::release(std::byte* memory) {
  const std::scoped_lock lock(mutex_);
  kept_.emplace(sizes_.at(memory), memory);
}

std::size_t Memory::trim() {
  const std::scoped_lock lock(mutex_);
  return give_back();
}

std::size_t Memory::give_back() {
  std::size_t bytes = 0;
  for (const auto& [size, memory] : kept_) {
    static_cast<void>(api().release(memory));
    sizes_.erase(memory);
    bytes += size;
  }
  kept_.clear();
  return bytes;
}

}  // namespace arignote::device
