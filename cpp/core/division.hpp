// Whole numbers of pieces.
#pragma once

#include <cstdint>

namespace arignote {

// How many pieces of b make a or more, of numbers that are not negative.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// So many pieces of b.
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

}  // namespace arignote
