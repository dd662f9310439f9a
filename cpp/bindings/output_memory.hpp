// The memory of large arrays: what one leaves behind is kept for the next. Fresh memory comes from
// the kernel page by page, which can take longer than the call that fills it.
#pragma once

#include <cstddef>

#include "bindings/numpy.hpp"

namespace arignote {

// Arrays of fewer bytes are NumPy's own business: the heap has memory for them.
inline constexpr std::size_t kLargeArray = std::size_t{1} << 20;

// The address sanitizer is to see where an array's memory begins and ends.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kKeepsMemory = false;
#elif defined(__has_feature)
inline constexpr bool kKeepsMemory = !__has_feature(address_sanitizer);
#else
inline constexpr bool kKeepsMemory = true;
#endif

// While it lives, the arrays that this thread makes take kept memory, and leave it when they end.
class KeepingMemory {
 public:
  KeepingMemory();
  ~KeepingMemory();
  KeepingMemory(const KeepingMemory&) = delete;
  KeepingMemory& operator=(const KeepingMemory&) = delete;

  // Otherwise a Python error is set.
  bool ok() const { return before_ != nullptr; }

 private:
  Ref before_;  // NumPy's handler of memory until then
};

// Gives what is kept back to the system; returns how many bytes that were.
std::size_t release_memory();

}  // namespace arignote
