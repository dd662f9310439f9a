// Operations on short contiguous blocks that stay in L1: the alphabet of elementwise programs.
//
// The tables hold the version for the SIMD target that is in force when they are asked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/dtype.hpp"

namespace arignote {

// out[i] = op(in[0][i], in[1][i], …) for i < count. Blocks are contiguous and aligned to their
// element type, no more. out may be one of the inputs if its elements have the same size; it never
// partly overlaps one. bool is stored as bytes 0 and 1.
using BlockFn = void (*)(const void* const* in, void* out, std::size_t count) noexcept;

struct BlockOp {
  std::string_view name;
  int arity;
  std::array<DType, 3> in;
  DType out;
  BlockFn fn;
  float cost;  // rough nanoseconds per 64 bytes of output, on one core
};

std::span<const BlockOp> elementwise_ops();
// Fills a block with the element at in[0], of so many bytes.
BlockFn find_fill(std::size_t item);
const BlockOp* find_block_op(std::string_view name, std::span<const DType> in, DType out);
// a * b and then, rounded on its own, an operation of that and c: null if there is none. `place` is
// where the product stands among that operation's two operands.
const BlockOp* find_product_op(std::string_view name, std::size_t place, DType dtype);

// A reduction works on an accumulator of a wider type (float32 sums in float64). An accumulator
// takes acc_bytes, which may be more than the size of `acc` (a float64 sum carries its rounding
// error along); an array of them is 8-byte aligned and acc + i * acc_bytes is the i-th.
//   start:  fills count accumulators with the neutral element
//   fold:   acc[0]  = acc[0] ⊕ in[0] ⊕ … ⊕ in[count - 1]       (along the block)
//   merge:  acc[i]  = acc[i] ⊕ in[i]                            (across rows), in is of type `in`
//   join:   acc[i]  = acc[i] ⊕ other[i]                         (partial results, in task order)
//   finish: out[i]  = acc[i] converted to `out`
//   whole:  out[0]  = start, fold and finish in one                 (a block that is everything)
// The order of the operations inside fold depends on count alone: a sum has the same bits on every
// SIMD target, for any alignment and on any thread.
using WholeFn = void (*)(const void* in, void* out, std::size_t count) noexcept;

struct BlockReduction {
  std::string_view name;  // sum prod max min all any
  DType in;
  DType acc;
  DType out;
  std::size_t acc_bytes;
  void (*start)(void* acc, std::size_t count) noexcept;
  void (*fold)(const void* in, void* acc, std::size_t count) noexcept;
  void (*merge)(const void* in, void* acc, std::size_t count) noexcept;
  void (*join)(const void* other, void* acc, std::size_t count) noexcept;
  void (*finish)(const void* acc, void* out, std::size_t count) noexcept;
  WholeFn whole;
  float cost;  // rough nanoseconds per 64 bytes of input to fold, on one core
};

std::span<const BlockReduction> reductions();
const BlockReduction* find_reduction(std::string_view name, DType in, DType out);
// The sum of the squares of what it takes, each rounded on its own: null if there is none.
const BlockReduction* find_square_sum(DType dtype);

}  // namespace arignote
