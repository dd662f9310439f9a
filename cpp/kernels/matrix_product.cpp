#include "kernels/matrix_product.hpp"

#include <algorithm>
#include <bit>

#include "core/buffer.hpp"
#include "core/division.hpp"
#include "core/parallel.hpp"

namespace arignote {
namespace {

// What all threads read, and no more memory than that.
constexpr std::int64_t kBlockBytes = 2 << 20;
// The bytes of one depth in a block that is deeper than one chunk.
constexpr std::int64_t kBlockLineBytes = 8 << 10;
// Of a tile: what it reads of the block at a time stays in the second cache, and the part of out
// that it computes in a third. Packed columns are fetched a panel ahead, so there may be more.
constexpr std::int64_t kTileRowBytes = 2 << 10;
constexpr std::int64_t kTileColumnBytes = 4 << 10;
constexpr std::int64_t kTileOtherBytes = 2 << 10;
// Multiplications that are worth a tile, and tiles of which there are enough to let threads end at
// the same time.
constexpr std::int64_t kTileMultiplications = 1 << 20;
constexpr std::int64_t kManyTiles = 16;
// If out is so small that there are few tiles of it, lanes share out the depth. Each has a block of
// its own.
constexpr std::int64_t kLaneSumBytes = 64 << 10;
constexpr std::int64_t kLaneBlockBytes = 256 << 10;
constexpr std::int64_t kMostLanes = 16;
// Of the sums of a tree, of which there is one for each level; no depth needs more levels.
constexpr std::int64_t kMostTreeBytes = 16 << 20;
constexpr std::int64_t kMostLevels = 32;
// Chunks are tasks of their own if that makes sums that are small beside b, and few, and each reads
// so much of b.
constexpr std::int64_t kMostPartRows = 32;
constexpr std::int64_t kMostParts = 16;
constexpr std::int64_t kLeastPartBytes = 64 << 10;
constexpr double kPackNanoseconds = 0.2;  // of one element
constexpr double kAddNanoseconds = 0.1;

template <class T>
constexpr std::int64_t count_of(std::int64_t bytes) {
  return bytes / static_cast<std::int64_t>(sizeof(T));
}

// Length of the parts, multiples of `unit` but for the last, if `length` is cut into parts of at
// most `most`, as even as may be.
constexpr std::int64_t even_part(std::int64_t length, std::int64_t most, std::int64_t unit = 1) {
  const std::int64_t parts = std::max<std::int64_t>(1, ceil_div(length, most));
  return std::max(unit, round_up(ceil_div(length, parts), unit));
}

template <class T>
void add(const T* from, std::int64_t count, T* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

std::byte* strip_memory() noexcept {
  alignas(kAlignment) thread_local std::byte memory[kStripBytes * kMostTileDepth];
  return memory;
}

template <class T>
void MatrixProduct<T>::plan(const ProductShape& shape) noexcept {
  shape_ = shape;
  functions_ = matrix_functions<T>();
  packs_rows_ = shape.m < shape.n;
  chunks_ = std::max<std::int64_t>(1, ceil_div(shape.k, kMostTileDepth));
  plan_runs();
  plan_blocks();
}

template <class T>
void MatrixProduct<T>::plan_runs() noexcept {
  const std::int64_t bytes = sum_length() * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t levels = kMostTreeBytes / std::max<std::int64_t>(1, bytes);
  runs_ =
      std::min(ceil_div(chunks_, kMostRunChunks), std::int64_t{1} << std::min(levels, kMostLevels));
  lanes_ = bytes <= kLaneSumBytes ? std::min(runs_, kMostLanes) : 1;
  levels_ = 1 + std::bit_width(static_cast<std::uint64_t>(ceil_div(runs_, lanes_) - 1));
}

template <class T>
void MatrixProduct<T>::plan_blocks() noexcept {
  const std::int64_t most = count_of<T>(lanes_ > 1 ? kLaneBlockBytes : kBlockBytes);
  const std::int64_t unit = packs_rows_ ? 1 : count_of<T>(kPanelBytes);
  const std::int64_t depth = std::max<std::int64_t>(1, start_of(1));
  const std::int64_t together =
      std::clamp(round_up(lines(), unit), unit, count_of<T>(kBlockLineBytes));
  block_chunks_ = even_part(ceil_div(chunks_, runs_), most / (together * kMostTileDepth));
  const std::int64_t most_lines = std::max(unit, most / (block_chunks_ * depth) / unit * unit);
  block_lines_ = even_part(lines(), most_lines, unit);
  const std::int64_t tile_bytes = packs_rows_ ? kTileRowBytes : kTileColumnBytes;
  tile_lines_ = even_part(block_lines_, count_of<T>(tile_bytes), unit);
  plan_parts();
  plan_tiles(packs_rows_ ? count_of<T>(kPanelBytes) : 1, block_chunks_ * depth / parts_);
}

template <class T>
void MatrixProduct<T>::plan_parts() noexcept {
  const bool is_one_block = block_lines_ >= lines() && block_chunks_ >= chunks_;
  const std::int64_t bytes_of_b = shape_.k * shape_.n * static_cast<std::int64_t>(sizeof(T));
  const bool is_worthwhile = packs_rows_ && shape_.m <= kMostPartRows &&
                             bytes_of_b >= kLeastPartBytes * chunks_ && chunks_ <= kMostParts;
  parts_ = is_one_block && is_worthwhile ? chunks_ : 1;
}

template <class T>
void MatrixProduct<T>::plan_tiles(std::int64_t unit, std::int64_t depth) noexcept {
  const std::int64_t most = count_of<T>(kTileOtherBytes) / unit;
  const std::int64_t units = ceil_div(others(), unit);
  const std::int64_t worth = ceil_div(kTileMultiplications, tile_lines_ * unit * depth);
  const std::int64_t tiles_of_block = ceil_div(block_lines_, tile_lines_);
  const std::int64_t wanted =
      std::max(worth, ceil_div(units * tiles_of_block * parts_, kManyTiles));
  tiles_ = ceil_div(units, std::min(wanted, most));
  if (tiles_ > 2) tiles_ = std::min(units, round_up(tiles_, kTogether));
}

template <class T>
std::int64_t MatrixProduct<T>::start_of_tile(std::int64_t tile) const {
  const std::int64_t unit = packs_rows_ ? count_of<T>(kPanelBytes) : 1;
  return std::min(others(), ceil_div(others(), unit) * tile / tiles_ * unit);
}

template <class T>
std::int64_t MatrixProduct<T>::sum_length() const {
  return round_up(shape_.m * shape_.n, count_of<T>(kAlignment));
}

template <class T>
std::int64_t MatrixProduct<T>::block_length() const {
  return round_up(block_lines_ * block_chunks_ * start_of(1), count_of<T>(kAlignment));
}

template <class T>
std::size_t MatrixProduct<T>::workspace_bytes() const noexcept {
  const std::int64_t sums = lanes_ * levels_ + parts_ - 2;
  return static_cast<std::size_t>(lanes_ * block_length() + sums * sum_length()) * sizeof(T);
}

template <class T>
void MatrixProduct<T>::run(const Factor<T>& a, const Factor<T>& b, T* out, bool adds,
                           std::byte* workspace) const noexcept {
  const Call call{a, b, out, adds, reinterpret_cast<T*>(workspace)};
  const auto add_up_lane = [&](std::int64_t lane) {
    add_up(call, lane, runs_ * lane / lanes_, runs_ * (lane + 1) / lanes_, 0);
  };
  parallel_for(lanes_, add_up_lane);
  for (std::int64_t step = 1; step < lanes_; step *= 2) {
    for (std::int64_t lane = 0; lane + step < lanes_; lane += 2 * step) {
      add(sum_of(call, lane + step, 0), shape_.m * shape_.n, sum_of(call, lane, 0));
    }
  }
}

template <class T>
T* MatrixProduct<T>::sum_of(const Call& call, std::int64_t lane, std::int64_t level) const {
  const std::int64_t number = lane * levels_ + level;
  if (number == 0) return call.out;
  return call.workspace + lanes_ * block_length() + (number - 1) * sum_length();
}

// The first part's is that of the block itself.
template <class T>
T* MatrixProduct<T>::sum_of_part(const Block& block, std::int64_t part) const {
  return block.packed + block_length() + (part - 1) * sum_length();
}

// Leaves the sum of some runs in that of a level.
template <class T>
void MatrixProduct<T>::add_up(const Call& call, std::int64_t lane, std::int64_t first,
                              std::int64_t last, std::int64_t level) const noexcept {
  T* const sum = sum_of(call, lane, level);
  if (last - first == 1) return multiply_run(call, lane, first, sum);
  const std::int64_t middle = first + (last - first) / 2;
  add_up(call, lane, first, middle, level);
  add_up(call, lane, middle, last, level + 1);
  add(sum_of(call, lane, level + 1), shape_.m * shape_.n, sum);
}

template <class T>
void MatrixProduct<T>::multiply_run(const Call& call, std::int64_t lane, std::int64_t run,
                                    T* sum) const noexcept {
  const std::int64_t first = chunks_ * run / runs_;
  const std::int64_t last = chunks_ * (run + 1) / runs_;
  for (std::int64_t line = 0; line < lines(); line += block_lines_) {
    for (std::int64_t chunk = first; chunk < last; chunk += block_chunks_) {
      const Block block{.line = line,
                        .lines = std::min(block_lines_, lines() - line),
                        .chunk = chunk,
                        .chunks = std::min(block_chunks_, last - chunk),
                        .packed = call.workspace + lane * block_length()};
      pack(call.a, call.b, block);
      multiply(call.a, call.b, {sum, shape_.n}, (call.adds && run == 0) || chunk > first, block);
    }
  }
}

template <class T>
T* MatrixProduct<T>::packed_tile(const Block& block, std::int64_t line, std::int64_t chunk) const {
  const std::int64_t first = start_of(block.chunk);
  const std::int64_t depth = start_of(block.chunk + block.chunks) - first;
  const std::int64_t unit = packs_rows_ ? 1 : count_of<T>(kPanelBytes);
  const std::int64_t width = round_up(std::min(tile_lines_, block.lines - line), unit);
  return block.packed + line * depth + width * (start_of(chunk) - first);
}

template <class T>
void MatrixProduct<T>::pack(const Factor<T>& a, const Factor<T>& b,
                            const Block& block) const noexcept {
  const auto pack_tile = [&](std::int64_t task) {
    const std::int64_t line = task / block.chunks * tile_lines_;
    const std::int64_t lines = std::min(tile_lines_, block.lines - line);
    const std::int64_t chunk = block.chunk + task % block.chunks;
    const std::int64_t start = start_of(chunk);
    const std::int64_t depth = start_of(chunk + 1) - start;
    T* const packed = packed_tile(block, line, chunk);
    if (packs_rows_) {
      functions_.pack_rows(a.from(block.line + line, start), lines, depth, packed);
    } else {
      functions_.pack_columns(b.from(start, block.line + line), lines, depth, packed);
    }
  };
  parallel_for(ceil_div(block.lines, tile_lines_) * block.chunks, pack_tile,
               static_cast<double>(tile_lines_ * start_of(1)) * kPackNanoseconds);
}

// Tiles that read the same lines of the operand that is not packed follow one another.
template <class T>
void MatrixProduct<T>::multiply(const Factor<T>& a, const Factor<T>& b, const Result<T>& out,
                                bool adds, const Block& block) const noexcept {
  const std::int64_t tiles_of_block = ceil_div(block.lines, tile_lines_);
  const std::int64_t tiles = tiles_of_block * tiles_;
  const auto multiply_tile = [&](std::int64_t task) {
    const std::int64_t part = task / tiles;
    const std::int64_t line = task % tiles_of_block * tile_lines_;
    const std::int64_t lines = std::min(tile_lines_, block.lines - line);
    const std::int64_t tile = task % tiles / tiles_of_block;
    const std::int64_t other = start_of_tile(tile);
    const std::int64_t count = start_of_tile(tile + 1) - other;
    const std::int64_t row = packs_rows_ ? block.line + line : other;
    const std::int64_t column = packs_rows_ ? other : block.line + line;
    const auto other_at = [&](std::int64_t depth) {
      return packs_rows_ ? b.from(depth, column) : a.from(row, depth);
    };
    const std::int64_t first = block.chunk + block.chunks * part / parts_;
    const std::int64_t last = block.chunk + block.chunks * (part + 1) / parts_;
    T* const sum = part == 0 ? out.data : sum_of_part(block, part);
    for (std::int64_t chunk = first; chunk < last; ++chunk) {
      const std::int64_t start = start_of(chunk);
      const auto run =
          packs_rows_ ? functions_.multiply_packed_rows : functions_.multiply_packed_columns;
      run({.rows = packs_rows_ ? lines : count,
           .columns = packs_rows_ ? count : lines,
           .depth = start_of(chunk + 1) - start,
           .packed = packed_tile(block, line, chunk),
           .other = other_at(start),
           .next = chunk + 1 < last ? other_at(start_of(chunk + 1)) : Factor<T>{nullptr, 0, 0},
           .out = {sum + row * out.row_step + column, out.row_step},
           .adds = (adds && part == 0) || chunk > first,
           .strip = reinterpret_cast<T*>(strip_memory())});
    }
  };
  const std::int64_t depth = start_of(block.chunk + block.chunks) - start_of(block.chunk);
  const std::int64_t multiplications = block.lines * others() * depth;
  parallel_for(parts_ * tiles, multiply_tile,
               static_cast<double>(multiplications / (parts_ * tiles)) * functions_.nanoseconds);
  if (parts_ > 1) add_parts(block, out.data);
}

// In their order, as if each had been added at once.
template <class T>
void MatrixProduct<T>::add_parts(const Block& block, T* out) const noexcept {
  const std::int64_t length = shape_.m * shape_.n;
  const std::int64_t some = even_part(length, ceil_div(length, kTogether), count_of<T>(kAlignment));
  const auto add_some = [&](std::int64_t task) {
    const std::int64_t first = task * some;
    for (std::int64_t part = 1; part < parts_; ++part) {
      add(sum_of_part(block, part) + first, std::min(some, length - first), out + first);
    }
  };
  parallel_for(ceil_div(length, some), add_some,
               static_cast<double>(some * parts_) * kAddNanoseconds);
}

template class MatrixProduct<float>;
template class MatrixProduct<double>;

}  // namespace arignote
