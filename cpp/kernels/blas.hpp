// The dense products that a BLAS does better, for T = float and double, row-major.
//
// Every call runs on the calling thread alone: callers cut large products into fixed tiles and give
// the tiles to parallel_for, so that results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "core/status.hpp"

namespace arignote::blas {

// The largest length, stride or step that may be passed.
inline constexpr std::int64_t kMaxExtent = std::numeric_limits<std::int32_t>::max();

// Finds the library on the first call. The functions below need an ok answer first.
Status load() noexcept;

// Name, version and CPU kernels of the library; empty if there is none.
std::string_view description() noexcept;

// A row-major matrix as it lies in memory; stride counts elements from row to row.
template <class T>
struct Matrix {
  const T* data;
  std::int64_t stride;
  bool transposed = false;  // op(matrix) is its transpose
};

template <class T>
using Scalar = std::type_identity_t<T>;  // takes no part in deducing T

// c = alpha * op(a) * op(b) + beta * c, where op(a) is m x k, op(b) k x n and c m x n.
// c is not read if beta is zero; a and b are not read if alpha is zero.
template <class T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, Scalar<T> alpha, Matrix<T> a, Matrix<T> b,
          Scalar<T> beta, T* c, std::int64_t c_stride) noexcept;

// y = alpha * op(a) * x + beta * y, where a (not op(a)) is m x n. Steps are positive.
template <class T>
void gemv(std::int64_t m, std::int64_t n, Scalar<T> alpha, Matrix<T> a, const T* x,
          std::int64_t x_step, Scalar<T> beta, T* y, std::int64_t y_step) noexcept;

// The sum of x[i] * y[i]. Steps are positive.
template <class T>
T dot(std::int64_t n, const T* x, std::int64_t x_step, const T* y, std::int64_t y_step) noexcept;

}  // namespace arignote::blas
