// NVRTC, and the driver's loading of its kernels through the runtime library that is linked in.
#include <cuda_runtime_api.h>

#include <limits>
#include <memory>

#include "backend/compiler.hpp"
#include "backend/library.hpp"
#include "backend/nvrtc.hpp"
#include "device/error.hpp"

namespace arignote::device {
namespace {

// A driver loads what compilers of its own generation, or of an earlier one, have made.
std::unique_ptr<Nvrtc> find() {
  std::unique_ptr<Nvrtc> found;
  find_newest("libnvrtc", std::numeric_limits<int>::max(), [&](void* library) {
    found = Nvrtc::open(library);
    return found != nullptr;
  });
  return found;
}

}  // namespace

const Compiler* compiler() {
  static const auto& found = *new std::unique_ptr<Nvrtc>(find());
  return found.get();
}

int load_kernel(const std::string& image, const char* name, void** kernel) {
  cudaLibrary_t library = nullptr;
  int error =
      taken(cudaLibraryLoadData(&library, image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
  if (error != cudaSuccess) return error;
  cudaKernel_t found = nullptr;
  error = taken(cudaLibraryGetKernel(&found, library, name));
  // Asking about it brings it to the device at once, where else the first launch would.
  cudaFuncAttributes attributes;
  if (error == cudaSuccess) error = taken(cudaFuncGetAttributes(&attributes, found));
  if (error != cudaSuccess) {
    static_cast<void>(cudaLibraryUnload(library));
    return error;
  }
  *kernel = found;
  return cudaSuccess;
}

int launch_kernel(void* kernel, const Grid& grid, Stream stream, void** arguments) {
  if (grid.blocks > kMostBlocks) return cudaErrorInvalidConfiguration;
  return taken(cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(grid.blocks)),
                                dim3(static_cast<unsigned>(grid.threads)), arguments,
                                grid.shared_bytes, static_cast<cudaStream_t>(stream)));
}

}  // namespace arignote::device
