#include "kernels/program_moves.hpp"

#include <algorithm>
#include <cstring>

namespace arignote {
namespace {

// Elements are moved as bytes: an address need not suit their type.
template <class Word>
void fill(const std::byte* from, std::int64_t count, std::byte* block) {
  Word value;
  std::memcpy(&value, from, sizeof(Word));
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(block + i * static_cast<std::int64_t>(sizeof(Word)), &value, sizeof(Word));
  }
}

template <class Word>
void gather(const std::byte* from, std::int64_t stride, std::int64_t count, std::byte* block) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(block + i * static_cast<std::int64_t>(sizeof(Word)), from + i * stride,
                sizeof(Word));
  }
}

template <class Word>
void scatter(const std::byte* block, std::int64_t stride, std::int64_t count, std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * stride, block + i * static_cast<std::int64_t>(sizeof(Word)), sizeof(Word));
  }
}

template <class Word>
void load_rows(const std::byte* from, const Rectangle& rectangle, std::byte* block) {
  constexpr auto kItem = static_cast<std::int64_t>(sizeof(Word));
  const std::int64_t bytes = rectangle.cols * kItem;
  if (rectangle.row_stride == 0 && rectangle.col_stride == 0) {
    fill<Word>(from, rectangle.rows * rectangle.cols, block);
  } else if (rectangle.cols == 1) {
    gather<Word>(from, rectangle.row_stride, rectangle.rows, block);
  } else {
    for (std::int64_t row = 0; row < rectangle.rows; ++row) {
      if (rectangle.col_stride == kItem) {
        std::memcpy(block, from, static_cast<std::size_t>(bytes));
      } else if (rectangle.col_stride == 0) {
        fill<Word>(from, rectangle.cols, block);
      } else {
        gather<Word>(from, rectangle.col_stride, rectangle.cols, block);
      }
      from += rectangle.row_stride;
      block += bytes;
    }
  }
}

template <class Word>
void store_rows(const std::byte* block, const Rectangle& rectangle, std::byte* to) {
  constexpr auto kItem = static_cast<std::int64_t>(sizeof(Word));
  const std::int64_t bytes = rectangle.cols * kItem;
  for (std::int64_t row = 0; row < rectangle.rows; ++row) {
    if (rectangle.col_stride == kItem) {
      std::memmove(to, block, static_cast<std::size_t>(bytes));
    } else {
      scatter<Word>(block, rectangle.col_stride, rectangle.cols, to);
    }
    to += rectangle.row_stride;
    block += bytes;
  }
}

}  // namespace

void load_block(const std::byte* from, const Rectangle& rectangle, std::size_t item,
                std::byte* block) {
  switch (item) {
    case 1: return load_rows<std::uint8_t>(from, rectangle, block);
    case 2: return load_rows<std::uint16_t>(from, rectangle, block);
    case 4: return load_rows<std::uint32_t>(from, rectangle, block);
    default: return load_rows<std::uint64_t>(from, rectangle, block);
  }
}

void store_block(const std::byte* block, const Rectangle& rectangle, std::size_t item,
                 std::byte* to) {
  switch (item) {
    case 1: return store_rows<std::uint8_t>(block, rectangle, to);
    case 2: return store_rows<std::uint16_t>(block, rectangle, to);
    case 4: return store_rows<std::uint32_t>(block, rectangle, to);
    default: return store_rows<std::uint64_t>(block, rectangle, to);
  }
}

}  // namespace arignote
