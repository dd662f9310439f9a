// OpenBLAS from the file that lies beside this module, opened on first use: importing costs
// nothing.
#include <dlfcn.h>

#include <string>

#include "kernels/blas_library.hpp"

#ifdef __linux__
#include <sched.h>
#endif

namespace arignote::blas {
namespace {

#ifdef __linux__
// OpenBLAS starts one thread for each core it sees while it is loaded, and they stay. We call it
// from our own threads, so this lets it see one core.
class OneCore {
 public:
  OneCore() noexcept : saved_(sched_getaffinity(0, sizeof(before_), &before_) == 0) {
    if (!saved_) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    int core = 0;
    while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &before_)) ++core;
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  ~OneCore() {
    if (saved_) sched_setaffinity(0, sizeof(before_), &before_);
  }
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  cpu_set_t before_{};
  bool saved_;
};
#else
struct OneCore {};
#endif

std::string library_path() {
  Dl_info module{};
  if (dladdr(reinterpret_cast<const void*>(&open_library), &module) == 0) return ARIGNOTE_OPENBLAS;
  const std::string file = module.dli_fname;
  return file.substr(0, file.rfind('/') + 1) + ARIGNOTE_OPENBLAS;
}

template <class F>
bool find(void* handle, const char* name, F*& function) noexcept {
  function = reinterpret_cast<F*>(dlsym(handle, name));
  return function != nullptr;
}

bool find_all(void* handle, Library& found) noexcept {
  return find(handle, "scipy_cblas_sgemm", found.f32.gemm) &&
         find(handle, "scipy_cblas_dgemm", found.f64.gemm) &&
         find(handle, "scipy_cblas_sgemv", found.f32.gemv) &&
         find(handle, "scipy_cblas_dgemv", found.f64.gemv) &&
         find(handle, "scipy_cblas_sdot", found.f32.dot) &&
         find(handle, "scipy_cblas_ddot", found.f64.dot);
}

void* open() noexcept {
  const OneCore guard;
  return dlopen(library_path().c_str(), RTLD_NOW | RTLD_LOCAL);
}

}  // namespace

const Library* open_library() noexcept {
  static Library library{};
  void (*set_num_threads)(int) = nullptr;
  const char* (*get_config)() = nullptr;
  void* const handle = open();
  if (handle == nullptr || !find_all(handle, library) ||
      !find(handle, "scipy_openblas_set_num_threads", set_num_threads) ||
      !find(handle, "scipy_openblas_get_config", get_config)) {
    return nullptr;
  }
  set_num_threads(1);
  library.description = get_config();
  return &library;
}

}  // namespace arignote::blas
