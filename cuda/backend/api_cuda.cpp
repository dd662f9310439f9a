// The driver of the machine, through the runtime library that is linked in.
#include <cuda_runtime_api.h>

#include <cstring>

#include "backend/api.hpp"
#include "device/error.hpp"

namespace arignote::device {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

cudaError_t get_properties(int number, Properties* properties) {
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

// A capture that has failed leaves no graph.
cudaError_t end_capture(void* stream, void** graph) {
  *graph = nullptr;
  cudaGraph_t captured = nullptr;
  cudaError_t error = cudaStreamEndCapture(stream_of(stream), &captured);
  if (error != cudaSuccess) return error;
  error = cudaGraphInstantiate(reinterpret_cast<cudaGraphExec_t*>(graph), captured, 0);
  const cudaError_t destroyed = cudaGraphDestroy(captured);
  return error != cudaSuccess ? error : destroyed;
}

}  // namespace

const Api& api() {
  static const Api table{
      .count_devices = [](int* count) { return taken(cudaGetDeviceCount(count)); },
      .current_device = [](int* number) { return taken(cudaGetDevice(number)); },
      .use_device = [](int number) { return taken(cudaSetDevice(number)); },
      .properties =
          [](int number, Properties* properties) {
            return taken(get_properties(number, properties));
          },
      .shared_bytes =
          [](int number, int* bytes) {
            return taken(
                cudaDeviceGetAttribute(bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, number));
          },
      .driver_version = [](int* version) { return taken(cudaDriverGetVersion(version)); },
      .runtime_version = [](int* version) { return taken(cudaRuntimeGetVersion(version)); },
      .allocate = [](void** memory, std::size_t bytes) { return taken(cudaMalloc(memory, bytes)); },
      .release = [](void* memory) { return taken(cudaFree(memory)); },
      .allocate_host =
          [](void** memory, std::size_t bytes) {
            return taken(cudaHostAlloc(memory, bytes, cudaHostAllocDefault));
          },
      .release_host = [](void* memory) { return taken(cudaFreeHost(memory)); },
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
      .begin_capture =
          [](void* stream) {
            return taken(
                cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal));
          },
      .end_capture = [](void* stream, void** graph) { return taken(end_capture(stream, graph)); },
      .launch_graph =
          [](void* graph, void* stream) {
            return taken(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)));
          },
      .release_graph =
          [](void* graph) {
            return taken(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)));
          },
      .error_name = [](int error) { return cudaGetErrorName(static_cast<cudaError_t>(error)); },
      .error_text = [](int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); },
  };
  return table;
}

}  // namespace arignote::device
