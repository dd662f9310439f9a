// Memory of a device that the runtime owns.
#pragma once

#include <cstddef>
#include <utility>

#include "core/buffer.hpp"
#include "runtime/backend.hpp"

namespace arignote {

// Move-only; never null after a successful reserve.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(Backend* backend) : backend_(backend) {}
  DeviceMemory(DeviceMemory&& other) noexcept
      : backend_(other.backend_),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceMemory() { release(); }

  // Makes room for at least `bytes`; what was inside is lost when it has to grow, which it does
  // first, as a device has no room to spare. False when there is no memory.
  [[nodiscard]] bool reserve(std::size_t bytes) noexcept {
    if (data_ != nullptr && bytes <= size_) return true;
    release();
    const std::size_t rounded = align_up(bytes > 0 ? bytes : 1);
    if (rounded < bytes) return false;
    data_ = backend_->allocate(rounded);
    if (data_ == nullptr) return false;
    count_allocation();
    size_ = rounded;
    return true;
  }

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::byte* take() { return std::exchange(data_, nullptr); }

 private:
  void release() {
    if (data_ != nullptr) backend_->release(std::exchange(data_, nullptr));
    size_ = 0;
  }

  Backend* backend_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace arignote
