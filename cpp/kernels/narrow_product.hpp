// Products with a matrix of few columns, the two that a training step of a linear model needs: both
// read the large matrix x (rows x features) once, along its rows, and keep the small one in
// registers and the first cache.
//
// A BLAS packs its operands first, and reaches a fraction of the machine's rate for few columns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/buffer.hpp"
#include "core/dtype.hpp"

namespace arignote {

inline constexpr std::int64_t kMostNarrowColumns = 32;

// x: rows of `features` elements without gaps inside them, `x_step` elements apart. The small
// matrix of as many rows is held by columns, `step` elements apart.
struct NarrowShape {
  std::int64_t rows = 0;
  std::int64_t features = 0;
  std::int64_t columns = 0;
  std::int64_t x_step = 0;
  std::int64_t step = 0;
  const std::byte* next = nullptr;  // as many rows of x to fetch meanwhile, or x itself
};

// A step for so many features: a multiple of any vector's length.
template <class T>
constexpr std::int64_t narrow_step(std::int64_t features) {
  constexpr auto kLanes = static_cast<std::int64_t>(kAlignment / sizeof(T));
  return (features + kLanes - 1) / kLanes * kLanes;
}

// So many bytes behind a multiple of `unit` all rows of x begin, whose elements have `item` bytes;
// 0 if they lie in different ways, or not at blocks of 16 bytes.
inline std::int64_t lead_bytes(const NarrowShape& shape, const void* x, std::int64_t item,
                               std::int64_t unit) {
  const auto address = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(x));
  const bool is_same_in_all_rows = shape.x_step * item % unit == 0;
  return is_same_in_all_rows && address % 16 == 0 ? address % unit : 0;
}

// Of the large matrix x, the small one and the result.
using NarrowFn = void (*)(const NarrowShape& shape, const std::byte* x, const std::byte* small,
                          std::byte* out) noexcept;

struct NarrowProduct {
  // out (rows x columns, without gaps) = x * w
  NarrowFn forward;
  // out += transposed(x) * d, with d (rows x columns) of rows without gaps; the columns of out are
  // aligned to vectors and filled up with zeros
  NarrowFn backward;
};

// dtype is kFloat32 or kFloat64, and so is that of x; or for kFloat32 it is one of bytes.
NarrowFn narrow_forward(DType dtype, DType of_x);
NarrowFn narrow_backward(DType dtype, DType of_x);

}  // namespace arignote
