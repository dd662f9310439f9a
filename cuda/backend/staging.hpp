// Page-locked memory of the host's, through which copies travel: the host goes on while the device
// reads it or writes to it.
#pragma once

#include <cstddef>

namespace arignote::device {

// What is handed out is in use until the stream of the copies has been waited for.
class Staging {
 public:
  Staging() = default;
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Null where there is no room: the copy then goes without.
  std::byte* take(std::size_t bytes) noexcept;
  // All that has been handed out is free again.
  void clear() noexcept { used_ = 0; }

 private:
  std::byte* memory_ = nullptr;
  std::size_t used_ = 0;
  bool is_refused_ = false;  // by the driver, which is not asked again
};

}  // namespace arignote::device
