// Transposes of matrices that a cache holds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arignote {

// to (columns x rows) = the transpose of from (rows x columns). Either has dense rows, so many
// bytes apart.
using TransposeFn = void (*)(const std::byte* from, std::int64_t from_stride, std::int64_t rows,
                             std::int64_t columns, std::byte* to, std::int64_t to_stride) noexcept;

// For elements of 4 or 8 bytes.
TransposeFn transpose_of(std::int64_t item);

}  // namespace arignote
