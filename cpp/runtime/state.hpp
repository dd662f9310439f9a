// The lock of a shared variable's storage, held by every call that uses the variable.
#pragma once

#include <atomic>
#include <cstdint>

namespace arignote {

// Readers share, a writer is alone; a waiting writer holds new readers off, so that many predicting
// threads cannot starve a training one. The uncontended way is one atomic operation each.
class StateLock {
 public:
  bool try_lock(bool exclusive) {
    std::int32_t now = value_.load(std::memory_order_relaxed);
    while (free_for(now, exclusive)) {
      const std::int32_t next = exclusive ? kWriter : now + 1;
      if (value_.compare_exchange_weak(now, next, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void lock(bool exclusive) {
    while (!try_lock(exclusive)) {
      std::int32_t now = value_.load(std::memory_order_relaxed);
      if (free_for(now, exclusive)) continue;
      if (exclusive && (now & kWaiting) == 0) {
        if (!value_.compare_exchange_strong(now, now | kWaiting, std::memory_order_relaxed))
          continue;
        now |= kWaiting;
      }
      value_.wait(now, std::memory_order_relaxed);
    }
  }

  // One more share for a thread that has one: it must not wait behind a writer that waits for it.
  void share_again() { value_.fetch_add(1, std::memory_order_relaxed); }

  void unlock(bool exclusive) {
    if (exclusive) {
      value_.store(0, std::memory_order_release);
      value_.notify_all();
    } else if ((value_.fetch_sub(1, std::memory_order_release) & ~kWaiting) == 1) {
      value_.notify_all();
    }
  }

 private:
  static constexpr std::int32_t kWriter = 1 << 30;
  static constexpr std::int32_t kWaiting = 1 << 29;  // below it: the number of readers

  static bool free_for(std::int32_t now, bool exclusive) {
    return exclusive ? (now & ~kWaiting) == 0 : now < kWaiting;
  }

  std::atomic<std::int32_t> value_{0};
};

}  // namespace arignote
