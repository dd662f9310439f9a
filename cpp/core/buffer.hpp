// Memory that the runtime owns, and the count of how often it asked the heap for some.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace arignote {

// In the steady state a call allocates nothing but its outputs; a test holds this count still.
inline std::atomic<std::int64_t> allocation_counter{0};

inline void count_allocation() { allocation_counter.fetch_add(1, std::memory_order_relaxed); }

// A cache line, and the widest vector register.
inline constexpr std::size_t kAlignment = 64;

constexpr std::size_t align_up(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Aligned bytes. Move-only; never null after a successful reserve.
class Buffer {
 public:
  // Makes room for at least `bytes`; what was inside is lost when it has to grow. False when there
  // is no memory: the old room is then kept.
  [[nodiscard]] bool reserve(std::size_t bytes) noexcept {
    if (data_ && bytes <= size_) return true;
    const std::size_t rounded = align_up(bytes > 0 ? bytes : 1);
    if (rounded < bytes) return false;
    void* grown = ::operator new(rounded, std::align_val_t{kAlignment}, std::nothrow);
    if (grown == nullptr) return false;
    count_allocation();
    data_.reset(static_cast<std::byte*>(grown));
    size_ = rounded;
    return true;
  }

  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const {
      ::operator delete(data, std::align_val_t{kAlignment});
    }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace arignote
