// Products of matrices: what the kernels are told, and how they cut the results.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"
#include "device/fault.cuh"
#include "device/language.cuh"

namespace arignote::device {

// What a block makes at a time: one result, of which each thread adds up a part, or a tile of them,
// of which each thread makes some.
enum class DotForm : std::uint8_t { kOne, kFewColumns, kFewRows, kReals, kIntegers };

struct DotTile {
  int rows;
  int columns;
  int rows_each;  // of a thread
  int columns_each;
};

constexpr DotTile tile_of(DotForm form) {
  switch (form) {
    case DotForm::kOne: return {1, 1, 1, 1};
    case DotForm::kFewColumns: return {128, 16, 4, 2};
    case DotForm::kFewRows: return {16, 128, 2, 4};
    case DotForm::kReals: return {128, 64, 8, 4};
    default: return {32, 32, 2, 2};
  }
}

// A product is added up in runs of so many, and the sums of the runs then.
inline constexpr int kDotRun = 256;

// The rows of a, or the columns of b.
struct DotOperand {
  const std::byte* data;
  std::int64_t lines;
  std::int64_t line_step;  // in elements
  std::int64_t depth_step;
  bool runs_along_depth;  // neighbours in memory are neighbours in a line
};

// The depth is cut into chunks, each of `chunk` products but the last. If there are several, their
// sums go to `partial`, which join_chunks then adds up. If it adds, results are added to what is at
// `out`.
struct DotArgs {
  DotOperand a;
  DotOperand b;
  std::byte* out;
  std::byte* partial;
  const Fault* fault;
  std::int64_t depth;
  std::int64_t chunk;
  std::int64_t chunks;
  DotForm form;
  bool adds;
};

// What is multiplied, and what comes of it, as in cpp/kernels/dot_shape.hpp.
struct DotTypes {
  DType a = DType::kFloat32;
  DType b = DType::kFloat32;
  DType out = DType::kFloat32;
};

// kFewColumns, kFewRows and kReals are for floats, kIntegers for integers and bool.
int launch_dot(const DotArgs& args, const DotTypes& types, Stream stream);
// Of each of the partial sums.
std::size_t partial_bytes(DotForm form, DType b);

}  // namespace arignote::device
