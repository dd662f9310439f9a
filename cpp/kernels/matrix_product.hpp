// Products of matrices of floating-point numbers, cut into blocks that suit the caches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/factor.hpp"
#include "kernels/matrix_tile.hpp"

namespace arignote {

// out (m x n) = a (m x k) * b (k x n), or added to out, for float and double and any steps.
//
// The operand with fewer lines (rows of a, columns of b) is packed into the workspace, block by
// block, by all threads together. Then each of them multiplies it with some lines of the other, of
// which it packs a strip at a time.
//
// Every element of out is summed in the same order, however the work is cut: at most kMostTileDepth
// products, and then these sums. It is off by no more than half a unit in the last place of the sum
// of the products' magnitudes for each of min(k, kMostTileDepth) + k / kMostTileDepth + 2
// roundings.
template <class T>
class MatrixProduct {
 public:
  void plan(const ProductShape& shape) noexcept;
  std::size_t workspace_bytes() const noexcept;
  void run(const Factor<T>& a, const Factor<T>& b, const Result<T>& out, bool adds,
           std::byte* workspace) const noexcept;

 private:
  // Lines of the operand that is packed, and chunks of the depth.
  struct Block {
    std::int64_t line;
    std::int64_t lines;
    std::int64_t chunk;
    std::int64_t chunks;
    T* packed;
  };
  void plan_tiles(std::int64_t others, std::int64_t depth) noexcept;
  void pack(const Factor<T>& a, const Factor<T>& b, const Block& block) const noexcept;
  void multiply(const Factor<T>& a, const Factor<T>& b, const Result<T>& out, bool adds,
                const Block& block) const noexcept;
  std::int64_t lines() const { return packs_rows_ ? shape_.m : shape_.n; }
  std::int64_t others() const { return packs_rows_ ? shape_.n : shape_.m; }
  // Of the depth.
  std::int64_t start_of(std::int64_t chunk) const {
    return chunk * (shape_.k / chunks_) + std::min(chunk, shape_.k % chunks_);
  }
  // Where lines of the block, from `line` on, are packed as deep as that chunk.
  T* packed_tile(const Block& block, std::int64_t line, std::int64_t chunk) const;

  ProductShape shape_;
  MatrixFunctions<T> functions_{};
  bool packs_rows_ = true;
  std::int64_t chunks_ = 1;
  std::int64_t block_chunks_ = 1;
  std::int64_t block_lines_ = 1;
  std::int64_t tile_lines_ = 1;
  std::int64_t tile_others_ = 1;
};

}  // namespace arignote
