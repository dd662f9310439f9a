// The driver of the machine, through the runtime library that is linked in.
#include <cuda_runtime_api.h>

#include <cstring>

#include "backend/api.hpp"

namespace arignote::device {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

int get_properties(int number, Properties* properties) {
  cudaDeviceProp found;
  const cudaError_t error = cudaGetDeviceProperties(&found, number);
  if (error != cudaSuccess) return error;
  std::strncpy(properties->name, found.name, sizeof(properties->name) - 1);
  properties->name[sizeof(properties->name) - 1] = '\0';
  properties->major = found.major;
  properties->minor = found.minor;
  properties->memory = found.totalGlobalMem;
  return cudaSuccess;
}

// An error that is reported is no longer the last one, unless it stays for ever.
int taken(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  return error;
}

}  // namespace

const Api& api() {
  static const Api table{
      .count_devices = [](int* count) { return taken(cudaGetDeviceCount(count)); },
      .use_device = [](int number) { return taken(cudaSetDevice(number)); },
      .properties = get_properties,
      .driver_version = [](int* version) { return taken(cudaDriverGetVersion(version)); },
      .runtime_version = [](int* version) { return taken(cudaRuntimeGetVersion(version)); },
      .allocate = [](void** memory, std::size_t bytes) { return taken(cudaMalloc(memory, bytes)); },
      .release = [](void* memory) { return taken(cudaFree(memory)); },
      .create_stream =
          [](void** stream) {
            return taken(cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream),
                                                   cudaStreamNonBlocking));
          },
      .destroy_stream = [](void* stream) { return taken(cudaStreamDestroy(stream_of(stream))); },
      .synchronise = [](void* stream) { return taken(cudaStreamSynchronize(stream_of(stream))); },
      .copy =
          [](void* to, const void* from, std::size_t bytes, CopyKind kind, void* stream) {
            return taken(cudaMemcpyAsync(to, from, bytes, static_cast<cudaMemcpyKind>(kind),
                                         stream_of(stream)));
          },
      .error_name = [](int error) { return cudaGetErrorName(static_cast<cudaError_t>(error)); },
      .error_text = [](int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); },
  };
  return table;
}

}  // namespace arignote::device
