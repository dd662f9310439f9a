// Products of matrices of floating-point numbers, cut into blocks that suit the caches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/factor.hpp"
#include "kernels/matrix_tile.hpp"

namespace arignote {

inline constexpr std::int64_t kMostRunChunks = 64;

// What a MatrixTile needs as its strip, for the thread that asks. Not on the stack, which may be
// small.
std::byte* strip_memory() noexcept;

// out (m x n) = a (m x k) * b (k x n), or added to out, for float and double and any steps of a
// and b.
//
// The operand with fewer lines (rows of a, columns of b) is packed into the workspace, block by
// block, by all threads together. Then each of them multiplies it with some lines of the other, of
// which it packs a strip at a time.
//
// A large b and few rows of a are multiplied chunk by chunk of the depth, each a task with a sum of
// its own: then threads read some rows of b each, as steps that write b do, and find in the caches
// of their cores what they have left there.
//
// Every element of out is summed in the same order, however the work is cut: chunks of at most
// kMostTileDepth products, runs of at most kMostRunChunks such sums, and the runs as a tree. It is
// off by no more than half a unit in the last place of the sum of the products' magnitudes for each
// of min(k, kMostTileDepth) + min(k / kMostTileDepth, kMostRunChunks) + log2(runs) + 3 roundings.
// Where a tree of sums as large as out would take much memory, there are fewer runs, and longer
// ones.
template <class T>
class MatrixProduct {
 public:
  void plan(const ProductShape& shape) noexcept;
  std::size_t workspace_bytes() const noexcept;
  void run(const Factor<T>& a, const Factor<T>& b, T* out, bool adds,
           std::byte* workspace) const noexcept;

 private:
  struct Call {
    const Factor<T>& a;
    const Factor<T>& b;
    T* out;
    bool adds;
    T* workspace;  // a block for each lane, then the sums
  };
  // Lines of the operand that is packed, and chunks of the depth.
  struct Block {
    std::int64_t line;
    std::int64_t lines;
    std::int64_t chunk;
    std::int64_t chunks;
    T* packed;
  };
  void plan_runs() noexcept;
  void plan_blocks() noexcept;
  void plan_tiles(std::int64_t unit, std::int64_t depth) noexcept;
  void plan_parts() noexcept;
  // Of the sum at a level of a lane's tree, as long as out; the very first is out.
  T* sum_of(const Call& call, std::int64_t lane, std::int64_t level) const;
  T* sum_of_part(const Block& block, std::int64_t part) const;
  std::int64_t sum_length() const;
  std::int64_t block_length() const;
  void add_up(const Call& call, std::int64_t lane, std::int64_t first, std::int64_t last,
              std::int64_t level) const noexcept;
  void multiply_run(const Call& call, std::int64_t lane, std::int64_t run, T* sum) const noexcept;
  void pack(const Factor<T>& a, const Factor<T>& b, const Block& block) const noexcept;
  void multiply(const Factor<T>& a, const Factor<T>& b, const Result<T>& out, bool adds,
                const Block& block) const noexcept;
  void add_parts(const Block& block, T* out) const noexcept;
  std::int64_t lines() const { return packs_rows_ ? shape_.m : shape_.n; }
  std::int64_t others() const { return packs_rows_ ? shape_.n : shape_.m; }
  // Of the depth.
  std::int64_t start_of(std::int64_t chunk) const {
    return chunk * (shape_.k / chunks_) + std::min(chunk, shape_.k % chunks_);
  }
  std::int64_t start_of_tile(std::int64_t tile) const;
  // Where lines of the block, from `line` on, are packed as deep as that chunk.
  T* packed_tile(const Block& block, std::int64_t line, std::int64_t chunk) const;

  ProductShape shape_;
  MatrixFunctions<T> functions_{};
  bool packs_rows_ = true;
  std::int64_t chunks_ = 1;
  std::int64_t runs_ = 1;
  std::int64_t lanes_ = 1;   // tasks that sum up some runs each
  std::int64_t levels_ = 1;  // of a lane's tree, each with a sum of its own
  std::int64_t block_chunks_ = 1;
  std::int64_t block_lines_ = 1;
  std::int64_t tile_lines_ = 1;
  std::int64_t tiles_ = 1;  // of the other lines
  std::int64_t parts_ = 1;  // of a block's chunks, each with a sum of its own
};

}  // namespace arignote
