// The BLAS that the build was linked with.
#include "kernels/blas_library.hpp"

extern "C" {
void cblas_sgemm(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                 float*, int);
void cblas_dgemm(int, int, int, int, int, int, double, const double*, int, const double*, int,
                 double, double*, int);
void cblas_sgemv(int, int, int, int, float, const float*, int, const float*, int, float, float*,
                 int);
void cblas_dgemv(int, int, int, int, double, const double*, int, const double*, int, double,
                 double*, int);
float cblas_sdot(int, const float*, int, const float*, int);
double cblas_ddot(int, const double*, int, const double*, int);

// Only OpenBLAS has these.
[[gnu::weak]] void openblas_set_num_threads(int count);
[[gnu::weak]] char* openblas_get_config();
}

namespace arignote::blas {

const Library* open_library() noexcept {
  static Library library{.f32 = {cblas_sgemm, cblas_sgemv, cblas_sdot},
                         .f64 = {cblas_dgemm, cblas_dgemv, cblas_ddot},
                         .description = "system BLAS"};
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  if (openblas_get_config != nullptr) library.description = openblas_get_config();
  return &library;
}

}  // namespace arignote::blas
