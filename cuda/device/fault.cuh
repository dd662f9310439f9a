// What kernels leave when they meet an input that they must not use.
#pragma once

#include <cstdint>
#include <limits>

namespace arignote::device {

inline constexpr std::int64_t kNowhere = std::numeric_limits<std::int64_t>::max();

enum class FaultKind : std::int32_t {
  kIndex,
  kUnsignedIndex,
  kNonzeroCount,  // there are not as many elements that are not zero as the plan says
};

// One of these lies on the device for each session. The first step that fails takes it; kernels
// that find it taken write nothing.
struct Fault {
  std::int64_t position = kNowhere;  // of the first index that is out of range, while one is sought
  std::int64_t value = 0;  // what stands there
  std::int64_t length = 0;  // of what it goes into
  FaultKind kind = FaultKind::kIndex;
  std::int32_t part = -1;
  std::int64_t before = 0;
  std::int32_t step = -1;  // -1: none has failed
};

// Whose work a kernel is: a step's, or if `part` is not negative that step's of its body, on a part
// of the operands that so many positions come before.
struct Origin {
  std::int32_t step = -1;
  std::int32_t part = -1;
  std::int64_t before = 0;
};

}  // namespace arignote::device
