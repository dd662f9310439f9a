// The operands of a matrix product.
#pragma once

#include <cstdint>

namespace arignote {

// Element (i, j) is data[i * row_step + j * column_step].
template <class T>
struct Factor {
  const T* data;
  std::int64_t row_step;
  std::int64_t column_step;

  Factor transposed() const { return {data, column_step, row_step}; }
  Factor from(std::int64_t row, std::int64_t column) const {
    return {data + row * row_step + column * column_step, row_step, column_step};
  }
};

// The rows of the result have no gaps.
template <class T>
struct Result {
  T* data;
  std::int64_t row_step;
};

// Of (m x k) times (k x n).
struct ProductShape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;

  std::int64_t multiplications() const { return m * n * k; }
};

}  // namespace arignote
