// The CBLAS functions we call. blas_bundled.cpp or blas_system.cpp, whichever is built, finds them.
#pragma once

namespace arignote::blas {

template <class T>
struct Functions {
  void (*gemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, T alpha,
               const T* a, int a_stride, const T* b, int b_stride, T beta, T* c, int c_stride);
  void (*gemv)(int order, int transpose, int m, int n, T alpha, const T* a, int a_stride,
               const T* x, int x_step, T beta, T* y, int y_step);
  T (*dot)(int n, const T* x, int x_step, const T* y, int y_step);
};

struct Library {
  Functions<float> f32;
  Functions<double> f64;
  const char* description;
};

// Makes the library ready for calls that each stay on their own thread; null if there is none.
// Called once.
const Library* open_library() noexcept;

}  // namespace arignote::blas
