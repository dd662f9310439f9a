// What kernels are written in: CUDA C++ for nvcc, and for a host compiler an emulation in which the
// very same sources run in tests. Blocks and grids have one dimension, blocks kBlockThreads threads
// at most; whatever counts elements has 64 bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arignote::device {

inline constexpr int kBlockThreads = 256;
inline constexpr int kWarpThreads = 32;
inline constexpr std::int64_t kMostBlocks = 0x7fffffff;

// The driver's, whichever that is.
using Stream = void*;

// How a kernel is launched.
struct Grid {
  std::int64_t blocks = 1;
  int threads = kBlockThreads;
  bool has_barriers = false;  // its threads wait for each other, or shuffle
  std::size_t shared_bytes = 0;  // beside what the kernel declares
};

}  // namespace arignote::device

#ifdef __CUDACC__

#include <cuda_runtime_api.h>

#define ARN_DEVICE __device__ __forceinline__
#define ARN_KERNEL __global__ void __launch_bounds__(::arignote::device::kBlockThreads)
// One whose registers leave room for so many blocks on a multiprocessor.
#define ARN_KERNEL_SHARING(blocks)                                                                 \
  __global__ void __launch_bounds__(::arignote::device::kBlockThreads, blocks)
// An array of the block's, as long as a constant.
#define ARN_SHARED(Type, name, count) __shared__ Type name[count]
// Before a loop over a local array, which then lies in registers.
#define ARN_UNROLL _Pragma("unroll")

namespace arignote::device {

ARN_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
ARN_DEVICE int block_threads() { return static_cast<int>(blockDim.x); }
ARN_DEVICE std::int64_t block_index() { return blockIdx.x; }
ARN_DEVICE std::int64_t block_count() { return gridDim.x; }

// All threads of the block wait for each other, and see what they have written.
ARN_DEVICE void sync_threads() { __syncthreads(); }

// The value that the thread `by` places further in the warp has. All threads of the warp call it.
template <class T>
ARN_DEVICE T shuffle_down(T value, int by) {
  return __shfl_down_sync(0xffffffffu, value, static_cast<unsigned>(by));
}

ARN_DEVICE std::byte* shared_memory() {
  extern __shared__ __align__(16) std::byte arignote_shared_memory[];
  return arignote_shared_memory;
}

// Of 64 bits, in any order: the result is the same.
ARN_DEVICE void atomic_min(std::int64_t* at, std::int64_t value) {
  atomicMin(reinterpret_cast<long long*>(at), static_cast<long long>(value));
}
ARN_DEVICE void atomic_max(std::int64_t* at, std::int64_t value) {
  atomicMax(reinterpret_cast<long long*>(at), static_cast<long long>(value));
}

// Queues a kernel; returns a cudaError_t. One that is reported is no longer the last one, or the
// launches that follow would report it as well.
template <class... Parameters, class... Arguments>
int launch(void (*kernel)(Parameters...), const Grid& grid, Stream stream, Arguments... arguments) {
  if (grid.blocks > kMostBlocks) return cudaErrorInvalidConfiguration;
  const dim3 blocks(static_cast<unsigned>(grid.blocks));
  const dim3 threads(static_cast<unsigned>(grid.threads));
  kernel<<<blocks, threads, grid.shared_bytes, static_cast<cudaStream_t>(stream)>>>(
      Parameters(arguments)...);
  return static_cast<int>(cudaGetLastError());
}

}  // namespace arignote::device

#else

#include "device/emulation.hpp"

#define ARN_DEVICE inline
#define ARN_KERNEL void
#define ARN_KERNEL_SHARING(blocks) void
#define ARN_SHARED(Type, name, count)                                                              \
  static const char name##_place = 0;                                                              \
  Type* const name = static_cast<Type*>(                                                           \
      ::arignote::device::emulation::shared_array(&name##_place, sizeof(Type) * (count)))
#define ARN_UNROLL

namespace arignote::device {

inline int thread_index() { return emulation::now().thread; }
inline int block_threads() { return emulation::now().threads; }
inline std::int64_t block_index() { return emulation::now().block; }
inline std::int64_t block_count() { return emulation::now().blocks; }

inline void sync_threads() { emulation::wait(emulation::Barrier::kBlock); }

template <class T>
T shuffle_down(T value, int by) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  T result = value;
  emulation::shuffle(&value, &result, sizeof(T), by);
  return result;
}

inline std::byte* shared_memory() { return emulation::dynamic_memory(); }

inline void atomic_min(std::int64_t* at, std::int64_t value) {
  if (value < *at) *at = value;
}
inline void atomic_max(std::int64_t* at, std::int64_t value) {
  if (value > *at) *at = value;
}

template <class... Parameters, class... Arguments>
int launch(void (*kernel)(Parameters...), const Grid& grid, Stream stream, Arguments... arguments) {
  return emulation::run(
      {grid.blocks, grid.threads, grid.has_barriers, grid.shared_bytes},
      [=] { kernel(Parameters(arguments)...); }, stream);
}

}  // namespace arignote::device

#endif
