#include "backend/staging.hpp"

#include "backend/api.hpp"
#include "core/buffer.hpp"

namespace arignote::device {
namespace {

// Each function has as much, and page-locked memory is dear: enough for a step's numbers and the
// tables of some hundred turns. The driver takes what is larger through pieces of its own.
constexpr std::size_t kBytes = 256 << 10;

}  // namespace

Staging::~Staging() {
  if (memory_ != nullptr) static_cast<void>(api().release_host(memory_));
}

std::byte* Staging::take(std::size_t bytes) noexcept {
  if (bytes > kBytes - used_ || is_refused_) return nullptr;
  if (memory_ == nullptr) {
    void* memory = nullptr;
    is_refused_ = api().allocate_host(&memory, kBytes) != kNoError;
    if (is_refused_) return nullptr;
    memory_ = static_cast<std::byte*>(memory);
  }
  std::byte* const place = memory_ + used_;
  used_ += align_up(bytes);
  return place;
}

}  // namespace arignote::device
