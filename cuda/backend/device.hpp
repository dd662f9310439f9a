// One device as the runtime's backend.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "backend/api.hpp"
#include "backend/compiled.hpp"
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
  std::unique_ptr<Kernel> row_block(const StepSpec& step, const Program& body) noexcept override;
  int visit() noexcept override;
  void leave(int before) noexcept override { static_cast<void>(api().use_device(before)); }
  std::byte* allocate(std::size_t bytes) noexcept override;
  void release(std::byte* memory) noexcept override;
  std::int64_t block_bytes() const noexcept override { return most_block_bytes; }
  Status open(std::unique_ptr<Session>& session) noexcept override;

  // Makes the device the calling thread's: before every call of the driver.
  void enter() const noexcept { static_cast<void>(api().use_device(number_)); }
  int number() const { return number_; }
  // What a block may have of shared memory.
  std::int64_t shared_bytes() const noexcept {
    int bytes = 0;
    return api().shared_bytes(number_, &bytes) == kNoError ? bytes : 0;
  }
  Memory& memory() { return memory_; }
  // The kernel of that name in a source; null where it cannot be compiled.
  void* compile(const std::string& source, const char* name) {
    enter();
    return compiled_.find(source, name, number_);
  }
  CompiledKernels& compiled() { return compiled_; }

 private:
  explicit Device(int number) : number_(number) {}

  int number_;
  Memory memory_;
  CompiledKernels compiled_;
};

}  // namespace arignote::device
