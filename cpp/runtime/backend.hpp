// A device beside the CPU: what the runtime asks of it. The functions that implement it may lie in
// another module, so nothing but these virtual calls crosses, and none of them throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/status.hpp"
#include "kernels/kernel.hpp"

namespace arignote {

// The name of the capsule in which a backend's module hands it over. Modules that were built from
// other headers have other names for it.
inline constexpr const char* kBackendCapsule = "arignote.backend." ARN_BACKEND_ABI;

struct Program;

// A device has failed outside of a call.
class DeviceFailure : public std::runtime_error {
 public:
  explicit DeviceFailure(const char* what) : std::runtime_error(std::string("[device] ") + what) {}
};

// For who may throw: std::bad_alloc or DeviceFailure.
inline void demand(const Status& status) {
  if (status.code == Code::kOutOfMemory) throw std::bad_alloc();
  if (!status.ok()) throw DeviceFailure(status.what);
}

// Work that a session has kept.
class Recording {
 public:
  virtual ~Recording() = default;
};

// A copy on the device that is a part of each turn of a loop, and another one in each of them.
struct TurnCopy {
  std::byte* to = nullptr;
  const std::byte* from = nullptr;
  std::size_t bytes = 0;
  std::int64_t to_step = 0;  // from the bytes of one turn to those of the next
  std::int64_t from_step = 0;
  const std::int64_t* from_offsets = nullptr;  // or by turn, on the device, where not null
  std::size_t item = 1;  // bytes that divide all of these: 1, 2, 4, 8 or 16
};

// The work of one call at a time, queued in order. Only what says so waits for it.
class Session {
 public:
  virtual ~Session() = default;

  // What is queued from now on belongs to this step.
  virtual void at(int step) noexcept = 0;
  // And to this step of the body that it runs, whose operands begin at some row.
  virtual void within(int part, std::int64_t row) noexcept = 0;
  // A step has been queued. Waits for it if the device was asked to tell which one it fails at;
  // what is not ok is the device's failure, and faults are left to synchronise().
  virtual Status finish_step() noexcept = 0;

  // From the host's memory, which may change as soon as this returns.
  virtual Status upload(const std::byte* from, std::byte* to, std::size_t bytes) noexcept = 0;
  // On the device. The two do not overlap.
  virtual Status copy(const std::byte* from, std::byte* to, std::size_t bytes) noexcept = 0;
  // The same for an array, between layouts of one shape and dtype. Does nothing behind a fault.
  virtual Status copy_array(const Layout& from_layout, const std::byte* from,
                            const Layout& to_layout, std::byte* to) noexcept = 0;
  // Adds so many numbers to others on the device. Neither this nor a kernel's work does anything
  // behind a fault.
  virtual Status add(const std::byte* from, std::byte* to, DType dtype,
                     std::int64_t count) noexcept = 0;
  // To the host's memory. Waits for all that is queued, and fails behind a fault, of which
  // synchronise() tells.
  virtual Status download(const std::byte* from, std::byte* to, std::size_t bytes) noexcept = 0;

  // Waits for all that is queued. A status that is not ok is the first fault since the last call,
  // and `step` then the step that it happened in, Status::step the part of it; what was queued
  // behind it has written nothing.
  virtual Status synchronise(int& step) noexcept = 0;

  // --- For loops whose turns the device runs one after the other by itself. `turn` is the number
  // of the turn at work; it lies on the device.

  // Keeps what is queued from now on, in place of running it. Uploads and downloads cannot be kept.
  virtual Status begin_recording() noexcept = 0;
  // Must follow, also if something in between has failed. Null with a status that is not ok.
  virtual Status end_recording(std::unique_ptr<Recording>& recording) noexcept = 0;
  virtual Status replay(Recording& recording) noexcept = 0;

  // Both do nothing behind a fault, so that `turn` then is the number of the turn that failed.
  // The copies come to pass in any order: none writes what another one reads or writes.
  virtual Status copies_of_turn(std::span<const TurnCopy> copies,
                                const std::int64_t* turn) noexcept = 0;
  // The last copies of a turn; then it is over.
  virtual Status end_turn(std::span<const TurnCopy> copies, std::int64_t* turn) noexcept = 0;
};

// One device. Steps on it run as kernels do: they are bound to layouts, and a run queues their work
// on RunArgs::session, which is one that this backend opened. All pointers are the device's.
class Backend {
 public:
  virtual ~Backend() = default;

  // Null for a kernel that the device has not. The entry stays for ever.
  virtual const KernelEntry* find(std::string_view kernel) const noexcept = 0;

  // A kernel that runs all steps of a body together, with the operands of the step whose body it
  // is. Its bind() refuses layouts for which there is none, or none that is worth it. Null if there
  // is no memory.
  virtual std::unique_ptr<Kernel> row_block(const StepSpec& step, const Program& body) noexcept = 0;

  // Makes the device the calling thread's, and returns which one was: leave() makes it that again.
  // Allocating and releasing see to it by themselves.
  virtual int visit() noexcept = 0;
  virtual void leave(int before) noexcept = 0;

  // Aligned as the host's buffers are; null when there is no memory. May be called by any thread.
  virtual std::byte* allocate(std::size_t bytes) noexcept = 0;
  // Nothing may be at work on the memory any more.
  virtual void release(std::byte* memory) noexcept = 0;

  // What temporaries of the rows that run together may take.
  virtual std::int64_t block_bytes() const noexcept = 0;

  // Null with a status that is not ok.
  virtual Status open(std::unique_ptr<Session>& session) noexcept = 0;
};

}  // namespace arignote
