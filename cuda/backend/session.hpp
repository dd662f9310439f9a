// The work of one call: a stream, and what the device says of faults.
#pragma once

#include <memory>
#include <optional>

#include "backend/staging.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"
#include "kernels/turns.hpp"
#include "runtime/backend.hpp"

namespace arignote::device {

class Device;

class DeviceSession final : public Session {
 public:
  // Null with a status that is not ok.
  static Status open(Device& device, std::unique_ptr<Session>& session) noexcept;
  ~DeviceSession() override;
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;

  void at(int step) noexcept override;
  void within(int part, std::int64_t row) noexcept override;
  Status finish_step() noexcept override;
  Status upload(const std::byte* from, std::byte* to, std::size_t bytes) noexcept override;
  Status add(const std::byte* from, std::byte* to, DType dtype,
             std::int64_t count) noexcept override;
  Status copy(const std::byte* from, std::byte* to, std::size_t bytes) noexcept override;
  Status copy_array(const Layout& from_layout, const std::byte* from, const Layout& to_layout,
                    std::byte* to) noexcept override;
  Status download(const std::byte* from, std::byte* to, std::size_t bytes) noexcept override;
  Status synchronise(int& step) noexcept override;

  Status begin_recording() noexcept override;
  Status end_recording(std::unique_ptr<Recording>& recording) noexcept override;
  Status replay(Recording& recording) noexcept override;
  Status copies_of_turn(std::span<const TurnCopy> copies,
                        const std::int64_t* turn) noexcept override;
  Status end_turn(std::span<const TurnCopy> copies, std::int64_t* turn) noexcept override;

  // For kernels.
  Device& device() const { return device_; }
  Stream stream() const { return static_cast<Stream>(stream_); }
  Fault* fault() const { return fault_; }
  // With the row at which operands begin, in place of the positions before them.
  const Origin& origin() const { return origin_; }
  // Whether each step is to be a launch of its own.
  bool waits_for_steps() const { return waits_for_steps_; }
  // A kernel that may leave a fault has been queued.
  void expect_fault() { may_fail_ = true; }

 private:
  explicit DeviceSession(Device& device);
  int wait() noexcept;
  TurnArgs turn_args(std::span<const TurnCopy> copies, const std::int64_t* turn) const;

  Device& device_;
  void* stream_ = nullptr;
  Fault* fault_ = nullptr;  // on the device
  Origin origin_;
  bool may_fail_ = false;
  std::optional<Fault> record_;  // of faults, if it has been brought since work was queued last
  const bool waits_for_steps_;
  Staging staging_;
};

inline DeviceSession& session_of(const RunArgs& args) {
  return static_cast<DeviceSession&>(*args.session);
}

// What a call of the driver has come to.
Status status_of(int error);

}  // namespace arignote::device
