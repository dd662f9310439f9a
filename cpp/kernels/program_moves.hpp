// Between strided memory and the dense blocks that operations work on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arignote {

// A rectangle of a strided operand; strides in bytes.
struct Rectangle {
  std::int64_t rows = 1;
  std::int64_t cols = 1;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 0;
};

// block = the rectangle's elements, row by row. A stride of zero repeats.
void load_block(const std::byte* from, const Rectangle& rectangle, std::size_t item,
                std::byte* block);

// The rectangle's elements = block.
void store_block(const std::byte* block, const Rectangle& rectangle, std::size_t item,
                 std::byte* to);

}  // namespace arignote
