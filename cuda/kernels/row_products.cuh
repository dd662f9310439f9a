// The products of a tile of rows: by what is held in shared memory, and over the rows.
#pragma once

#include <cmath>

#include "kernels/row_tile.cuh"

namespace arignote::device {

// How many rows a thread multiplies at a time.
inline constexpr int kRowsEach = 2;
// And how many columns, or none of them.
inline constexpr int kColumnsTogether = 4;
static_assert(kProductColumns % kColumnsTogether == 0);

ARN_DEVICE int least(int a, int b) { return a < b ? a : b; }
ARN_DEVICE int groups_for(int count, int each) { return (count + each - 1) / each; }

// Begins to bring it there. Neighbouring threads read neighbours in memory.
template <class T>
ARN_DEVICE void hold_factor(const RowTile& tile, const HeldFactor& f) {
  const std::byte* const from = tile.memory(f.pointer) + f.offset;
  std::byte* const to = reinterpret_cast<std::byte*>(tile.held<T>(f.held));
  constexpr int kItem = sizeof(T);
  const bool by_columns = f.column_step < f.depth_step;
  const int length = by_columns ? f.columns : f.depth;
  const std::int64_t from_step = by_columns ? f.column_step : f.depth_step;
  const std::int64_t from_line = by_columns ? f.depth_step : f.column_step;
  const int to_step = by_columns ? f.depth * kItem : kItem;
  const int to_line = by_columns ? kItem : f.depth * kItem;
  const int count = f.columns * f.depth;
  // The place along a line, and its number, go on without a division.
  const int next = block_threads() % length;
  const int next_line = block_threads() / length;
  int place = thread_index() % length;
  int line = thread_index() / length;
  for (int i = thread_index(); i < count; i += block_threads()) {
    begin_copy<kItem>(to + place * to_step + line * to_line,
                      from + place * from_step + line * from_line);
    place += next;
    line += next_line;
    if (place < length) continue;
    place -= length;
    ++line;
  }
}

// Adds up what the lanes have of each result, as a tree, for the first of them. All lanes of a warp
// call it: they shuffle together, whatever is theirs, and all results step by step, as one would
// wait for the shuffle before it.
template <class T>
ARN_DEVICE void join_sums(T (&sums)[kRowsEach][kProductColumns], int lanes) {
  for (int half = lanes / 2; half > 0; half /= 2) {
    ARN_UNROLL
    for (int i = 0; i < kRowsEach; ++i) {
      ARN_UNROLL
      for (int j = 0; j < kProductColumns; ++j) {
        sums[i][j] = sums[i][j] + shuffle_down(sums[i][j], half);
      }
    }
  }
}

// Lanes of a warp share the depth of some results. All lanes of a warp take as many turns.
template <class T, class A>
ARN_DEVICE void multiply_rows(const RowTile& tile, const RowStep& s) {
  const RowOperand a = tile.operand(s, 0);
  const RowOperand out = tile.operand(s, 1);
  const std::byte* const left = tile.at(a);
  const T* const held = tile.held<T>(s.held);
  const int lane = thread_index() % s.lanes;
  const int at_once = block_threads() / s.lanes;
  const int across = groups_for(s.columns, kProductColumns);
  const int units = groups_for(tile.rows(), kRowsEach) * across;
  for (int begin = 0; begin < units; begin += at_once) {
    const int unit = begin + thread_index() / s.lanes;
    const int row = unit / across * kRowsEach;
    const int column = unit % across * kProductColumns;
    const int rows = tile.rows() - row;
    const int columns = s.columns - column;
    // Behind the last one it is taken again, and what comes of it is not stored: loads that hang on
    // conditions would wait for each other.
    const A* lines[kRowsEach];
    const T* factors[kProductColumns];
    ARN_UNROLL
    for (int i = 0; i < kRowsEach; ++i) {
      lines[i] = reinterpret_cast<const A*>(left + least(row + i, tile.rows() - 1) * a.row_step);
    }
    ARN_UNROLL
    for (int j = 0; j < kProductColumns; ++j) {
      factors[j] = held + least(column + j, s.columns - 1) * s.depth;
    }
    T sums[kRowsEach][kProductColumns] = {};
    for (int depth = lane; depth < s.depth; depth += s.lanes) {
      T x[kRowsEach];
      ARN_UNROLL
      for (int i = 0; i < kRowsEach; ++i) x[i] = static_cast<T>(lines[i][depth]);
      ARN_UNROLL
      for (int first = 0; first < kProductColumns; first += kColumnsTogether) {
        if (first >= columns) continue;
        ARN_UNROLL
        for (int j = first; j < first + kColumnsTogether; ++j) {
          const T factor = factors[j][depth];
          ARN_UNROLL
          for (int i = 0; i < kRowsEach; ++i) sums[i][j] = std::fma(x[i], factor, sums[i][j]);
        }
      }
    }
    join_sums(sums, s.lanes);
    if (lane != 0) continue;
    ARN_UNROLL
    for (int i = 0; i < kRowsEach; ++i) {
      ARN_UNROLL
      for (int j = 0; j < kProductColumns; ++j) {
        if (i >= rows || j >= columns) continue;
        *reinterpret_cast<T*>(tile.at(out, row + i, column + j)) = sums[i][j];
      }
    }
  }
}

// Numbers of a row of d, read in pieces of 16 bytes: what lies behind them is there, too.
template <class T>
ARN_DEVICE void fetch_columns(const std::byte* from, int columns, T (&to)[kProductColumns]) {
  constexpr int kPiece = 16 / static_cast<int>(sizeof(T));
  struct alignas(16) Piece {
    T items[kPiece];
  };
  ARN_UNROLL
  for (int j = 0; j < kProductColumns; j += kPiece) {
    if (j >= columns) continue;
    const Piece piece = *reinterpret_cast<const Piece*>(from + j * sizeof(T));
    ARN_UNROLL
    for (int k = 0; k < kPiece; ++k) to[j + k] = piece.items[k];
  }
}

// A thread adds to its sums row by row, so that it does not matter how many rows a tile has. If
// there are few sums, lanes have sums of their own.
template <class T, class A>
ARN_DEVICE void add_outer(const RowTile& tile, const RowStep& s) {
  const RowOperand a = tile.operand(s, 0);
  const RowOperand d = tile.operand(s, 1);
  const std::byte* const left = tile.at(a);
  const std::byte* const right = tile.at(d);
  const int span = groups_for(s.depth, kOuterFeatures);
  const int units = span * groups_for(s.columns, kProductColumns);
  for (int work = thread_index(); work < units * s.lanes; work += block_threads()) {
    const int lane = work / units;
    const int feature = work % units % span;
    const int column = work % units / span * kProductColumns;
    const int columns = s.columns - column;
    T* const sums = tile.held<T>(s.held) + (lane * s.columns + column) * s.depth + feature;
    const auto for_each = [&](auto&& visit) {
      ARN_UNROLL
      for (int i = 0; i < kOuterFeatures; ++i) {
        if (feature + i * span >= s.depth) continue;
        ARN_UNROLL
        for (int j = 0; j < kProductColumns; ++j) {
          if (j < columns) visit(i, j, sums[j * s.depth + i * span]);
        }
      }
    };
    T own[kOuterFeatures][kProductColumns] = {};
    for_each([&](int i, int j, T& sum) { own[i][j] = sum; });
    // As in multiply_rows().
    int places[kOuterFeatures];
    ARN_UNROLL
    for (int i = 0; i < kOuterFeatures; ++i) places[i] = least(feature + i * span, s.depth - 1);
    for (int row = tile.first_of_lane(lane, s.lanes); row < tile.rows(); row += s.lanes) {
      const auto* const line = reinterpret_cast<const A*>(left + row * a.row_step);
      T x[kOuterFeatures];
      T y[kProductColumns] = {};
      ARN_UNROLL
      for (int i = 0; i < kOuterFeatures; ++i) x[i] = static_cast<T>(line[places[i]]);
      fetch_columns(right + row * d.row_step + column * static_cast<int>(sizeof(T)), columns, y);
      ARN_UNROLL
      for (int i = 0; i < kOuterFeatures; ++i) {
        ARN_UNROLL
        for (int j = 0; j < kProductColumns; ++j) own[i][j] = std::fma(x[i], y[j], own[i][j]);
      }
    }
    for_each([&](int i, int j, T& sum) { sum = own[i][j]; });
  }
}

// By what the left factor consists of.
template <class T>
ARN_DEVICE void run_product(const RowTile& tile, const RowStep& s) {
  const auto run = [&](auto zero) {
    using A = decltype(zero);
    s.kind == RowStep::Kind::kProduct ? multiply_rows<T, A>(tile, s) : add_outer<T, A>(tile, s);
  };
  switch (tile.operand(s, 0).dtype) {
    case DType::kInt8: return run(std::int8_t{0});
    case DType::kBool:
    case DType::kUInt8: return run(std::uint8_t{0});
    default: run(T{0});
  }
}

}  // namespace arignote::device
