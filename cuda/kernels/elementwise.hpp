// Elementwise programs with reductions at their ends: what the kernels are told.
#pragma once

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

// Elements have a number among the outer axes, those before the border, and one among the inner
// ones, both in C order. Where nothing is reduced all axes are inner ones.
struct ProgramArgs {
  const Operation* operations;
  const std::int64_t* axes;  // lengths, then for each operand its strides in bytes
  std::int64_t count;
  const Fault* fault;
  int n_operations;
  int n_slots;
  int ndim;
  int border;
  std::byte* operands[kMostOperands];
};

enum class Reduction : std::uint8_t { kSum, kProduct, kMinimum, kMaximum, kAll, kAny };

inline constexpr int kMostReductions = 16;

struct ReducedValue {
  std::uint16_t slot;
  Reduction reduction;
  DType from;
};

struct ReducedOutput {
  std::byte* out;
  ReducedValue value;
  DType to;
};

// The elements are `kept` results of `reduced` elements each. If `is_by_rows`, results are numbered
// by the outer axes and their elements by the inner ones; else it is the other way round. Each of
// the `chunks` of reduced elements has a partial result, 64 bits, in `partial`: by output, then
// chunk, then result.
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
  ReducedOutput items[kMostReductions];
};

// --- how the kernels are launched

inline std::int64_t blocks_for(std::int64_t threads) {
  return (threads + kBlockThreads - 1) / kBlockThreads;
}

// For threads that take so many elements each.
inline Grid grid_of(const ProgramArgs& args, int count) {
  return {.blocks = blocks_for((args.count + count - 1) / count)};
}

// A power of two, if there is work for so many threads of a block: whole warps.
inline int threads_for(std::int64_t work) {
  int threads = kWarpThreads;
  while (threads < kBlockThreads && threads < work) threads *= 2;
  return threads;
}

// Of the first stage.
inline Grid grid_of(const ReductionArgs& args) {
  constexpr std::int64_t kElementsEach = 4;
  if (args.is_by_rows) {
    return {.blocks = args.kept * args.chunks,
            .threads = threads_for(args.reduced / args.chunks / kElementsEach),
            .has_barriers = true};
  }
  const int threads = threads_for(args.kept);
  return {.blocks = (args.kept + threads - 1) / threads * args.chunks, .threads = threads};
}

int launch_elementwise(const ProgramArgs& args, Stream stream);
// The two stages: partial results, and what they come to.
int launch_reduction(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream);
int launch_join(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream);

}  // namespace arignote::device
