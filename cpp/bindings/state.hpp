// The type State: the array of a shared variable, its lock, and how calls take the lock.
#pragma once

#include <atomic>
#include <mutex>
#include <span>

#include "bindings/device.hpp"
#include "runtime/state.hpp"

namespace arignote {

// What a State owns. `array` is replaced under both locks: a call that holds the first may use it,
// and who only wants to look takes the second, which is never held for long.
struct StateCell {
  Ref array;
  Backend* backend = nullptr;  // of the device where the array's elements are, null on the host
  bool borrows = false;  // the array is the user's, and may lie in another state's memory
  DType dtype = DType::kFloat64;
  StateLock lock;
  std::mutex array_mutex;
  std::atomic<std::int64_t> version{0};

  // Needs the lock. Gives the old array, whose end may run Python code, to the caller.
  Ref replace(Ref next, bool is_borrowed) {
    const std::scoped_lock guard(array_mutex);
    array.swap(next);
    borrows = is_borrowed;
    return next;
  }

  Ref current() {
    const std::scoped_lock guard(array_mutex);
    return new_ref(array.get());
  }
};

struct StateObject {
  PyObject_HEAD StateCell cell;
};

// Null, with a TypeError set, if the object is no State.
StateCell* state_cell(PyObject* object);

struct StateUse {
  StateCell* cell = nullptr;
  bool exclusive = false;
};

// The locks of one call. Uses are sorted by address and name each state once, so that calls cannot
// wait for each other in a circle.
class StateLocks {
 public:
  StateLocks() = default;
  ~StateLocks() { release(); }
  StateLocks(const StateLocks&) = delete;
  StateLocks& operator=(const StateLocks&) = delete;

  // Waits with the GIL released. False, with a RuntimeError set, if this thread is inside a call
  // that holds one of the states in a way that excludes this use.
  bool take(std::span<const StateUse> uses);
  void release();

 private:
  enum class Held { kNo, kShared, kExclusive };

  bool wait(const StateUse& use);
  static Held held_by_this_thread(const StateCell* cell);

  std::span<const StateUse> taken_;
  StateLocks* outer_ = nullptr;  // of the call that this one is made from, on the same thread
};

}  // namespace arignote
