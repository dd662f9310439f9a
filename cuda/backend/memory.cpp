#include "backend/memory.hpp"

#include <algorithm>

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
    const std::size_t kept_size = found->first;
    kept_.erase(found);
    return hand_out(memory, kept_size);
  }
  void* memory = nullptr;
  if (api().allocate(&memory, size) != kNoError) {
    static_cast<void>(give_back());
    if (api().allocate(&memory, size) != kNoError) return nullptr;
  }
  sizes_[static_cast<std::byte*>(memory)] = size;
  return hand_out(static_cast<std::byte*>(memory), size);
}

std::byte* Memory::hand_out(std::byte* memory, std::size_t size) {
  use_.now += size;
  use_.most = std::max(use_.most, use_.now);
  return memory;
}

void Memory::release(std::byte* memory) {
  const std::scoped_lock lock(mutex_);
  const std::size_t size = sizes_.at(memory);
  kept_.emplace(size, memory);
  use_.now -= size;
}

Memory::Use Memory::use() const {
  const std::scoped_lock lock(mutex_);
  return use_;
}

void Memory::reset_most() {
  const std::scoped_lock lock(mutex_);
  use_.most = use_.now;
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
