// Many steps on some rows after the others, while these are in a block's shared memory: what the
// kernels are told. See docs/cuda.md for what they do.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"
#include "kernels/elementwise.hpp"
#include "kernels/small_programs.hpp"

namespace arignote::device {

// Some rows of a matrix, or of a vector, whose rows have one element. Steps are in bytes.
struct RowOperand {
  enum class Place : std::uint8_t {
    kMemory,  // all rows, from a pointer on
    kTile,    // those at work, in shared memory
    kStaged,  // the same, in the stage of shared memory that belongs to them
  };
  Place place = Place::kTile;
  DType dtype = DType::kFloat32;
  std::int32_t pointer = 0;
  std::int64_t offset = 0;  // of the first element, from the pointer or in shared memory
  std::int64_t row_step = 0;
  std::int64_t column_step = 0;
};

inline constexpr int kMostRowSlots = 32;

// What a thread makes at a time: columns of a product, and features of an outer one.
inline constexpr int kProductColumns = 8;
inline constexpr int kOuterFeatures = 4;

// What its operands are, in order:
//   product     a, out              rows of a times what is held; a's elements lie side by side
//   outer       a, d                sums of products of a column of a and one of d, over all rows
//   elements    a program's operands, see Operation
//   softmax, log_softmax            x, out
//   nll         x, labels, losses
//   nll_gradient                    x, labels, weights, out, and losses if there are any
//   argmax, argmin                  x, out
//   pick        x, labels, out      place  x, labels, v, out
struct RowStep {
  enum class Kind : std::uint8_t {
    kProduct,
    kOuter,
    kElements,
    kSoftmax,
    kLogSoftmax,
    kNll,
    kNllGradient,
    kArgmax,
    kArgmin,
    kPick,
    kPlace,
    kPlaceMore,  // adds
  };
  Kind kind = Kind::kElements;
  bool has_losses = false;
  std::int32_t part = 0;  // the step of the body
  std::int32_t first_operand = 0;
  std::int32_t columns = 1;  // of a row; of an outer product: of d
  std::int32_t depth = 1;    // of a product; of an outer product: columns of a
  std::int32_t lanes = 1;  // threads that share the depth, or the rows of a sum; a power of two
  std::int32_t held = 0;  // in shared memory: what a product is by, or the sums
  std::int32_t first_operation = 0;
  std::int32_t n_operations = 0;
  std::int32_t first_reduction = 0;
  std::int32_t n_reductions = 0;
};

// What an elementwise step reduces. The elements of one tile come together in `scratch`.
struct RowReduction {
  ReducedValue value{};
  DType to = DType::kFloat32;
  bool over_rows = false;
  bool over_columns = false;
  std::int32_t scratch = 0;  // in shared memory, 64 bits each
  std::int32_t target = 0;  // the sums in shared memory; or an operand, if rows are kept
};

// A whole matrix by which rows are multiplied: in shared memory the numbers of each of its columns
// lie side by side.
struct HeldFactor {
  std::int32_t pointer = 0;
  std::int32_t held = 0;
  std::int32_t columns = 0;
  std::int32_t depth = 0;
  std::int64_t offset = 0;  // all in bytes
  std::int64_t column_step = 0;
  std::int64_t depth_step = 0;
};

// Rows that are brought to shared memory before their turn: those of a matrix one after the other,
// or those that an index chooses.
struct RowStream {
  std::int32_t pointer = 0;
  std::int32_t columns = 0;
  std::int32_t item = 0;  // bytes of an element
  std::int32_t place = 0;  // in a stage
  std::int32_t pitch = 0;  // from row to row there
  std::int32_t part = 0;  // the step of the body that takes them
  std::int64_t offset = 0;
  std::int64_t row_step = 0;
  std::int64_t column_step = 0;
  bool is_chosen = false;
  DType index_dtype = DType::kInt64;
  std::int32_t index_pointer = 0;
  std::int64_t index_offset = 0;
  std::int64_t index_step = 0;
  std::int64_t length = 0;  // of what the index goes into
};

// Sums over all rows: `lanes` times `count` numbers in shared memory, of the blocks' dtype if they
// are of products, else of 64 bits.
struct RowSum {
  std::int32_t held = 0;
  std::int32_t lanes = 1;
  std::int32_t count = 0;
  std::int32_t lines = 1;  // results are numbered along these first
  std::int32_t pointer = 0;
  bool is_of_products = false;
  ReducedValue value{};
  DType to = DType::kFloat32;
  std::int64_t partial = 0;  // bytes from the start of a block's partial sums
  std::int64_t first = 0;  // sums before it, of all
  std::int64_t line_step = 0;
  std::int64_t column_step = 0;
};

// The first fault of a block: of the first step that has any, at the first row.
struct RowFault {
  std::int32_t part;
  bool is_signed;
  std::int64_t row;
  std::int64_t value;
  std::int64_t length;
};

// Rows are added up one by one, in runs of so many; then the sums of runs; then those of chunks.
inline constexpr std::int64_t kRowRun = 256;

inline constexpr int kMostPointers = 64;
inline constexpr int kMostStreams = 4;

struct RowBlockArgs {
  const std::byte* tables;  // where all of these lie, side by side
  std::int64_t table_bytes;
  const RowStep* steps;
  const RowOperand* operands;
  const Operation* operations;
  const RowReduction* reductions;
  const HeldFactor* factors;
  const RowStream* streams;
  const RowSum* sums;
  int n_steps;
  int n_factors;
  int n_streams;
  int n_sums;
  DType dtype;  // of products: float32 or float64
  bool may_fail;
  std::int32_t tile;  // rows at a time
  std::int32_t stages;  // where these begin in shared memory
  std::int32_t stage_bytes;
  std::int32_t held;  // the sums
  std::int32_t held_bytes;
  std::int64_t shared_bytes;
  std::int64_t rows;
  std::int64_t chunk;  // rows of a block
  std::int64_t chunks;
  std::int64_t n_results;  // of all sums
  std::byte* partial;  // of each chunk: its sums, then its fault
  std::int64_t partial_step;
  Fault* fault;
  Origin origin;
  int pieces[kMostStreams];  // bytes that are copied at a time: 16, 8, 4, or 0 for single elements
  std::byte* pointers[kMostPointers];
  // What is to be added to a pointer in each turn of a loop; null if it is the same in all of them.
  const std::int64_t* offsets[kMostPointers];
  const std::int64_t* turn;
};

// What follows from sums element by element, such as parameters that a training step updates: done
// by the thread that has made the element of the sum.
struct RowFinish {
  SmallPrograms programs;
  int sums[kMostSmallPrograms];  // from which they follow
};

int launch_row_block(const RowBlockArgs& args, const RowFinish& finish, Stream stream);

}  // namespace arignote::device
