#include "kernels/blas.hpp"

#include <algorithm>

#include "kernels/blas_library.hpp"

namespace arignote::blas {
namespace {

constexpr int kRowMajor = 101;
constexpr int kAsIs = 111;
constexpr int kTransposed = 112;

const Library* library() noexcept {
  static const Library* const opened = open_library();
  return opened;
}

template <class T>
const Functions<T>& functions() noexcept {
  if constexpr (std::is_same_v<T, float>) {
    return library()->f32;
  } else {
    return library()->f64;
  }
}

int narrow(std::int64_t extent) { return static_cast<int>(extent); }

// CBLAS demands a stride of at least the row length, and of at least one, even where there is no
// second row to be found by it.
int stride_of(std::int64_t stride, std::int64_t row) {
  return narrow(std::max({stride, row, std::int64_t{1}}));
}

template <class T>
int transposition(const Matrix<T>& matrix) {
  return matrix.transposed ? kTransposed : kAsIs;
}

}  // namespace

Status load() noexcept {
  return library() != nullptr ? Status{} : Status::bad_plan("the BLAS library cannot be loaded");
}

std::string_view description() noexcept {
  return library() != nullptr ? library()->description : std::string_view{};
}

template <class T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, Scalar<T> alpha, Matrix<T> a, Matrix<T> b,
          Scalar<T> beta, T* c, std::int64_t c_stride) noexcept {
  functions<T>().gemm(kRowMajor, transposition(a), transposition(b), narrow(m), narrow(n),
                      narrow(k), alpha, a.data, stride_of(a.stride, a.transposed ? m : k), b.data,
                      stride_of(b.stride, b.transposed ? k : n), beta, c, stride_of(c_stride, n));
}

template <class T>
void gemv(std::int64_t m, std::int64_t n, Scalar<T> alpha, Matrix<T> a, const T* x,
          std::int64_t x_step, Scalar<T> beta, T* y, std::int64_t y_step) noexcept {
  functions<T>().gemv(kRowMajor, transposition(a), narrow(m), narrow(n), alpha, a.data,
                      stride_of(a.stride, n), x, narrow(x_step), beta, y, narrow(y_step));
}

template <class T>
T dot(std::int64_t n, const T* x, std::int64_t x_step, const T* y, std::int64_t y_step) noexcept {
  return functions<T>().dot(narrow(n), x, narrow(x_step), y, narrow(y_step));
}

using I = std::int64_t;
template void gemm(I, I, I, float, Matrix<float>, Matrix<float>, float, float*, I) noexcept;
template void gemm(I, I, I, double, Matrix<double>, Matrix<double>, double, double*, I) noexcept;
template void gemv(I, I, float, Matrix<float>, const float*, I, float, float*, I) noexcept;
template void gemv(I, I, double, Matrix<double>, const double*, I, double, double*, I) noexcept;
template float dot(I, const float*, I, const float*, I) noexcept;
template double dot(I, const double*, I, const double*, I) noexcept;

}  // namespace arignote::blas
