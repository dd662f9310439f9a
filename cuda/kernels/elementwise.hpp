// Elementwise programs with reductions at their ends: what the kernels are told.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// One operation on the slots of one element. What `a`, `b` and `c` are:
//   load     a: the operand to read;  store  a: the operand to write, b: the slot to write there
//   others   slots of the operands, of which select takes the first as a condition
struct Operation {
  enum class Kind : std::uint8_t { kLoad, kStore, kCompute, kCast, kSelect };
  Kind kind = Kind::kLoad;
  std::uint8_t op = 0;             // a ScalarOp, of kCompute
  DType from = DType::kFloat64;  // of the operands
  DType to = DType::kFloat64;    // of the result
  std::uint16_t slot = 0;
  std::uint16_t a = 0;
  std::uint16_t b = 0;
  std::uint16_t c = 0;
};

inline constexpr int kMostOperands = 400;
inline constexpr int kMostSlots = 128;

// The elements are numbered in C order of the axes.
struct ProgramArgs {
  const Operation* operations;
  const std::int64_t* axes;  // lengths, then for each operand its strides in bytes
  std::int64_t count;
  const Fault* fault;
  int n_operations;
  int n_slots;
  int ndim;
  std::byte* operands[kMostOperands];
};

enum class Reduction : std::uint8_t { kSum, kProduct, kMinimum, kMaximum, kAll, kAny };

inline constexpr int kMostReductions = 16;

struct ReducedOutput {
  std::byte* out;
  std::uint16_t slot;
  Reduction reduction;
  DType from;
  DType to;
};

// The elements are `kept` results of `reduced` elements each, which follow one another if
// `is_by_rows`; else the results follow one another. Each of the `chunks` of reduced elements has a
// partial result, 64 bits, in `partial`: by output, then chunk, then result.
struct ReductionArgs {
  ProgramArgs program;
  std::int64_t kept;
  std::int64_t reduced;
  std::int64_t chunks;
  bool is_by_rows;
  int n_outputs;
  std::uint64_t* partial;
};

struct ReducedOutputs {
  std::array<ReducedOutput, kMostReductions> items;
};

int launch_elementwise(const ProgramArgs& args, Stream stream);
int launch_reduction(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream);

}  // namespace arignote::device
