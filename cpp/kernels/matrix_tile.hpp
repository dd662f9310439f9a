// The vector code of a matrix product: panels of rows times panels of columns, in registers.
//
// In a packed operand the elements of a panel, some rows of a or columns of b, that have one depth
// lie together, and its panels follow one another.
#pragma once

#include <cstdint>

#include "kernels/factor.hpp"

namespace arignote {

// Each sum runs over so much of the depth in a register before it is added to the result. The same
// for all targets, so that those which fuse multiplications and additions give the same bits.
inline constexpr std::int64_t kMostTileDepth = 256;

// Bytes of a row of b that make a whole number of panels on any target. Packed columns take as much
// room as if there were such a number.
inline constexpr std::int64_t kPanelBytes = 128;

// Of an operand that is packed just before it is multiplied, a strip at a time: so many bytes of
// each depth, in memory that stays in the second cache.
inline constexpr std::int64_t kStripBytes = 1024;

// rows x columns of out = a * b, or added to out. The depth is at most kMostTileDepth. One operand
// has been packed.
template <class T>
struct MatrixTile {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;
  const T* packed;
  Factor<T> other;
  Factor<T> next;  // what will be `other` after this; null if that is not known
  Result<T> out;
  bool adds;
  T* strip;  // kStripBytes * kMostTileDepth bytes
};

template <class T>
struct MatrixFunctions {
  void (*pack_rows)(const Factor<T>& a, std::int64_t rows, std::int64_t depth, T* packed) noexcept;
  void (*multiply_packed_rows)(const MatrixTile<T>& tile) noexcept;
  void (*pack_columns)(const Factor<T>& b, std::int64_t columns, std::int64_t depth,
                       T* packed) noexcept;
  void (*multiply_packed_columns)(const MatrixTile<T>& tile) noexcept;
  double nanoseconds;  // of one multiplication, roughly
};

template <class T>
MatrixFunctions<T> matrix_functions();

}  // namespace arignote
