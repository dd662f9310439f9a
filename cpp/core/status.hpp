// The outcome of work that may not throw: kernels return it, bindings turn it into a Python error.
#pragma once

#include <cstdint>

namespace arignote {

enum class Code : std::uint8_t {
  kOk,
  kIndexOutOfRange,  // position: flat position in the index operand; value: what stood there
  kOutOfMemory,      // position: number of the buffer there is no memory for, -1 if unknown
  kBadPlan,       // a plan that the verifier should have refused; what: a literal
  kHostError,     // a host step raised; the Python error indicator is set
  kCheckFailed,   // position: number of the check; value, other: its two sides
  kReadOnly,      // position: number of a state that the plan updates and that is not writeable
  kUneven,        // position: number of an output that has another shape than in the first step
  kDeviceError,   // a call of the device's driver failed; what: how it names the failure
};

struct Status {
  Code code = Code::kOk;
  std::int64_t position = 0;
  std::int64_t value = 0;
  std::int64_t other = 0;
  const char* what = "";
  int step = -1;  // of the body of the step that failed, if it has one

  constexpr bool ok() const { return code == Code::kOk; }

  static constexpr Status bad_plan(const char* what) {
    return {.code = Code::kBadPlan, .what = what};
  }
  static constexpr Status device_error(const char* what) {
    return {.code = Code::kDeviceError, .what = what};
  }
  static constexpr Status out_of_memory(std::int64_t buffer) {
    return {.code = Code::kOutOfMemory, .position = buffer};
  }
  static constexpr Status index_out_of_range(std::int64_t position, std::int64_t value,
                                             std::int64_t length) {
    return {.code = Code::kIndexOutOfRange, .position = position, .value = value, .other = length};
  }
};

}  // namespace arignote
