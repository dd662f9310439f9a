// A plan as it was sent: flat and immutable. Registers are positions in dims, buffers positions in
// buffers. What it must satisfy is written in verify.cpp, what follows from it in schedule.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/view.hpp"
#include "kernels/kernel.hpp"
#include "runtime/dims.hpp"

namespace arignote {

enum class CheckKind : std::uint8_t {
  kEqual,  // a == b
  kIndex,  // 0 <= a < b
  kTrue,   // a != 0
};

struct Check {
  CheckKind kind = CheckKind::kTrue;
  int a = 0;
  int b = 0;
};

enum class BufferKind : std::uint8_t {
  kInput,
  kState,
  kConst,
  kScalar,   // 0-d, holds the value of a register
  kTemp,     // memory of its own, or the memory of another buffer that nobody reads any more
  kView,     // a strided window on its base
  kReshape,  // its base's elements in C order: an alias when the base is contiguous, else a copy
};

inline constexpr int kNone = -1;

struct BufferSpec {
  BufferKind kind = BufferKind::kTemp;
  bool on_device = false;
  DType dtype = DType::kFloat64;
  std::vector<int> shape;            // registers
  std::vector<bool> broadcastable;   // input: axes that must have length 1
  int number = kNone;                // input, state, const: position among its kind
  int value = kNone;                 // scalar: register
  int storage = kNone;               // temp: the buffer whose memory it takes
  int base = kNone;                  // view, reshape
  int offset = kNone;                // view: register, bytes from the start of the base
  std::vector<int> strides;          // view: registers, bytes

  int ndim() const { return static_cast<int>(shape.size()); }
  bool is_source() const { return kind <= BufferKind::kConst; }
  bool is_window() const { return kind >= BufferKind::kView; }
};

struct Guard {
  int buffer = 0;
  bool value = true;
  bool operator==(const Guard&) const = default;
};

enum class StepKind : std::uint8_t { kKernel, kReshape, kHost, kByRows };

struct Program;

struct Step {
  StepKind kind = StepKind::kKernel;
  bool on_device = false;
  StepSpec spec;
  std::vector<int> dims;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<Guard> guards;
  const KernelEntry* kernel = nullptr;  // null for host steps, and those with a body
  std::shared_ptr<const Program> body;  // what a kByRows step runs
};

struct StateUpdate {
  int state = 0;
  int value = 0;
};

// A constant's elements, C-contiguous, owned by whoever made the plan.
struct Constant {
  const std::byte* data = nullptr;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

struct Plan {
  std::vector<Dim> dims;
  std::vector<Check> checks;
  std::vector<BufferSpec> buffers;
  std::vector<Step> steps;
  std::vector<int> outputs;
  std::vector<StateUpdate> updates;
  std::vector<Constant> constants;
  // Buffers of each kind, by number.
  std::vector<int> input_buffers;
  std::vector<int> state_buffers;
  std::vector<int> constant_buffers;

  const BufferSpec& buffer(int id) const { return buffers[static_cast<std::size_t>(id)]; }
  const Step& step(int id) const { return steps[static_cast<std::size_t>(id)]; }
  int n_steps() const { return static_cast<int>(steps.size()); }
  int n_buffers() const { return static_cast<int>(buffers.size()); }

  // What a view is a window on, through views of views; else the buffer itself.
  int viewed(int id) const {
    while (buffer(id).kind == BufferKind::kView) id = buffer(id).base;
    return id;
  }

  // The buffer whose memory this one shares by statement: a window's base, a temp's storage.
  int parent(int id) const {
    const BufferSpec& spec = buffer(id);
    return spec.is_window() ? spec.base : spec.storage;
  }
};

}  // namespace arignote
