// Windows on variables that lie elsewhere in each turn of a loop.
//
// Where all that read one can find it by the number of the turn, they read it where it lies, as in
// calls. Else each turn begins by copying it to where it is in every turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "runtime/context.hpp"

namespace arignote {

// Bytes that are moved at a time.
inline constexpr std::size_t kMostItem = 16;

// The largest power of two, kMostItem at most, that divides a number and `item`.
inline std::size_t common(std::size_t item, std::uint64_t number) {
  while (number % item != 0) item /= 2;
  return item;
}

class TurnWindows {
 public:
  explicit TurnWindows(Context& context) : context_(context) {}

  // Finds those of a context that has run a turn; a register that varies may have another value in
  // each. False if there is one that can neither stay nor be copied.
  bool plan(const std::vector<bool>& varies);
  std::size_t count() const { return windows_.size(); }
  // Whether a buffer shows one of them, or a part of it.
  bool shows(int buffer) const { return window_of_[buffer] != kNone; }

  // Asks take(pointer, bytes) for the memory of the device that so many turns need.
  template <class Take>
  void allocate(std::size_t turns, Take&& take) {
    for (Window& window : windows_) {
      if (window.is_copied) take(window.copy, window.bytes);
      take(window.device_offsets, turns * sizeof(std::int64_t));
    }
  }

  // Forgets where they lie; notes where they do in a turn for which all is laid out, which follows
  // those before; tells the device of all of these.
  void clear();
  void add_turn();
  Status send(Session& session) const;

  // Finds how many bytes can be moved at a time in these turns. False if it is less than before.
  bool fit();
  // Has steps find them in any turn, the number of which lies on the device, as `memory` does, the
  // root of turns.
  void place(const std::byte* memory, const std::int64_t* turn);
  void append_copies(std::vector<TurnCopy>& copies) const;
  // Has steps find them as in calls.
  void restore();

 private:
  // Elements that several views may show.
  struct Window {
    int view = 0;  // one of them
    std::size_t bytes = 0;
    bool is_copied = false;
    const std::byte* base = nullptr;
    std::vector<std::int64_t> offsets = {};  // from there, by turn
    std::int64_t* device_offsets = nullptr;
    std::byte* copy = nullptr;
    std::size_t item = kMostItem;
  };

  int number_for(int view);
  bool can_stay(int number) const;
  bool finds(int step, int buffer) const;
  bool can_be_copied(int number) const;

  Context& context_;
  std::vector<Window> windows_;
  std::vector<int> window_of_;  // by buffer: the number of what it shows, or is a part of; or kNone
  std::map<int, std::vector<WindowOffsets>> inputs_;  // of steps that read any where they lie
};

}  // namespace arignote
