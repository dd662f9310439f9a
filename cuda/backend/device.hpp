// One device as the runtime's backend.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "backend/api.hpp"
#include "backend/memory.hpp"
#include "runtime/backend.hpp"

namespace arignote::device {

// Why a device cannot be opened: "driver", "old driver", "device", "number", and words for a
// person.
struct Refusal {
  const char* kind = nullptr;  // null: it can
  std::string text;
};

// The same on all devices, as sums depend on it. A device wants much to do at a time, and less than
// this for a loss over many classes is asked of it beside the data.
inline std::atomic<std::int64_t> most_block_bytes{512 << 20};

class Device final : public Backend {
 public:
  // The device of that number; the same one for ever. Null with a refusal.
  static Device* open(int number, Refusal& refusal);

  const KernelEntry* find(std::string_view kernel) const noexcept override;
  std::byte* allocate(std::size_t bytes) noexcept override;
  void release(std::byte* memory) noexcept override;
  std::int64_t block_bytes() const noexcept override { return most_block_bytes; }
  std::unique_ptr<Session> open() noexcept override;

  // Makes the device the calling thread's: before every call of the driver.
  void enter() const noexcept { static_cast<void>(api().use_device(number_)); }
  int number() const { return number_; }
  Memory& memory() { return memory_; }

 private:
  explicit Device(int number) : number_(number) {}

  int number_;
  Memory memory_;
};

}  // namespace arignote::device
