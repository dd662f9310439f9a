// A loop of calls that the device runs by itself: the host sees to it beforehand that all turns are
// laid out alike, tells the device in tables what differs between them, and waits once for many.
//
// What differs are windows on variables, single numbers, and where arguments and results lie. Steps
// find these by the number of the turn, which lies on the device, or where each turn begins by
// copying them to, so that all work is the same, and is recorded once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/turn_windows.hpp"

namespace arignote {

// An input of which each turn has the next slice, on the host.
struct TurnStack {
  int input = 0;
  std::byte* data = nullptr;
  std::int64_t stride = 0;
};

// Where an output's results go, one behind the other, on the host.
struct TurnResults {
  std::byte* data = nullptr;
  std::int64_t bytes = 0;  // of one
};

class Turns {
 public:
  // The context's program must suit, and it must have run a turn, which at most `count` follow. May
  // throw std::bad_alloc.
  Turns(Context& context, std::span<const TurnStack> stacks, std::span<const TurnResults> results,
        std::int64_t count);
  ~Turns();
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Whether the device could run any turns of the program by itself.
  static bool suit(const Program& program);

  // Between two loops: the memory and the recording are kept, if they are small, for one that is
  // laid out alike. False if there is nothing to keep.
  bool pause();
  // For the next loop, under the same conditions as a new one. False if that is laid out otherwise.
  bool resume(std::span<const TurnStack> stacks, std::span<const TurnResults> results,
              std::int64_t count);

  // Runs turns from `first` on, `count` at most; returns how many have been finished. Where it is
  // none and the status is ok, the next turns must be run as calls. A status that is not ok is that
  // of the turn that follows those. May throw std::bad_alloc.
  std::int64_t run(std::int64_t first, std::int64_t count, Status& status);

 private:
  // An array of the host's, of all turns together if it is a stack, and of the device's.
  struct Upload {
    const std::byte* from = nullptr;
    std::size_t bytes = 0;  // of a turn
    bool is_stack = false;
    std::byte* to = nullptr;

    bool is_like(const Upload& other) const {
      return bytes == other.bytes && is_stack == other.is_stack;
    }
  };

  bool plan();
  bool plan_upload(int step);
  bool is_like(const Turns& other) const;
  std::int64_t wanted_capacity() const;
  bool allocate();
  std::int64_t tabulate(std::int64_t first, std::int64_t count);
  bool is_alike();
  bool record();
  // In turns_standing.cpp.
  void find_standing();
  bool is_standing(int buffer) const;
  bool is_left_alone(int step) const;

  Status queue_turn();
  Status queue_step(int& step);
  Status queue_copy(const TurnCopy& copy);
  Status queue_copies();
  Status send(std::int64_t first, std::int64_t count);
  Status finish(std::int64_t first, std::int64_t count, std::int64_t& done);
  void restore();

  Context& context_;
  std::span<const TurnStack> stacks_;
  std::span<const TurnResults> results_;
  bool suits_ = false;
  // What a recording hangs on: the kernels, which have a serial number, and where memory lies.
  std::int64_t kernels_ = 0;
  std::vector<std::byte*> roots_;
  std::vector<std::int64_t> key_;
  std::vector<std::int64_t> dim_values_;
  TurnWindows windows_;
  std::vector<Upload> uploads_;  // by step
  std::vector<std::int64_t> result_bytes_;  // by output
  std::vector<std::byte*> device_results_;
  std::vector<bool> varies_;  // by register
  bool scalars_may_vary_ = false;
  bool scalars_vary_ = false;  // in turns so far
  bool brings_scalars_ = false;  // the recording does
  std::vector<bool> standing_;  // by step
  std::vector<std::byte> scalars_;  // by turn
  std::int64_t count_;  // turns that there may be
  std::int64_t capacity_ = 0;  // those of them that there is memory for
  DeviceMemory memory_;
  std::int64_t* turn_ = nullptr;
  std::byte* device_scalars_ = nullptr;
  std::vector<TurnCopy> copies_;  // that are to be queued together
  std::unique_ptr<Recording> recording_;
};

}  // namespace arignote
