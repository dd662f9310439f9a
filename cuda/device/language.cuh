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

// What a block may have of shared memory without asking for it.
inline constexpr std::size_t kPlainSharedBytes = 48 << 10;

}  // namespace arignote::device

#ifdef __CUDACC__

#ifndef __CUDACC_RTC__
#include "device/error.hpp"
#endif

#define ARN_DEVICE __device__ __forceinline__
#define ARN_KERNEL __global__ void __launch_bounds__(::arignote::device::kBlockThreads)
// One whose registers leave room for so many blocks on a multiprocessor.
#define ARN_KERNEL_SHARING(blocks)                                                                 \
  __global__ void __launch_bounds__(::arignote::device::kBlockThreads, blocks)
// A kernel's argument to which functions get a reference: it stays where the driver has put it, of
// which else each thread might make a copy of its own.
#define ARN_ARGUMENT(Type, name) const __grid_constant__ Type name
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

// Whether a condition holds for any thread of the block: all of them call it, and meet as in
// sync_threads().
ARN_DEVICE bool any_of_block(bool condition) { return __syncthreads_or(condition ? 1 : 0) != 0; }

// The value that the thread `by` places further in the warp has. All threads of the warp call it.
template <class T>
ARN_DEVICE T shuffle_down(T value, int by) {
  return __shfl_down_sync(0xffffffffu, value, static_cast<unsigned>(by));
}

// The value that the thread of that number in the warp has. All threads of the warp call it.
template <class T>
ARN_DEVICE T shuffle_from(T value, int lane) {
  return __shfl_sync(0xffffffffu, value, lane);
}

// Begins to copy 4, 8 or 16 bytes of the device's memory to the block's; both places begin at a
// multiple of so many. What copies the thread has begun since the last end_copies() are a group.
template <int kBytes>
ARN_DEVICE void begin_copy(std::byte* shared, const std::byte* memory) {
#if __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const std::size_t from = __cvta_generic_to_global(memory);
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(to), "l"(from), "n"(kBytes)
                 : "memory");
  }
#else
  struct alignas(kBytes) Piece {
    char bytes[kBytes];
  };
  // Or a loop would not read the next piece before this one is written.
  __builtin_assume(__isShared(shared));
  __builtin_assume(__isGlobal(memory));
  *reinterpret_cast<Piece*>(shared) = *reinterpret_cast<const Piece*>(memory);
#endif
}
ARN_DEVICE void end_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Until all of the thread's groups are there but for the last kLeft.
template <int kLeft>
ARN_DEVICE void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

// Has the device's memory read there, which threads of the block will want, and does not wait.
ARN_DEVICE void read_ahead(const std::byte* memory) {
  const std::size_t from = __cvta_generic_to_global(memory);
  asm volatile("{ .reg .u32 ignored; ld.global.u8 ignored, [%0]; }" ::"l"(from));
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

#ifndef __CUDACC_RTC__
// Lets blocks of a kernel have as much shared memory as the device has: what is allowed holds for
// all threads that launch the kernel, and another one may be about to, with more. Such a kernel
// declares none.
inline int allow_shared_memory(const void* kernel) {
  int device = 0;
  int bytes = 0;
  int error = taken(cudaGetDevice(&device));
  if (error != 0) return error;
  error = taken(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  if (error != 0) return error;
  return taken(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
}

// Queues a kernel; returns a cudaError_t.
template <class... Parameters, class... Arguments>
int launch(void (*kernel)(Parameters...), const Grid& grid, Stream stream, Arguments... arguments) {
  if (grid.blocks > kMostBlocks) return cudaErrorInvalidConfiguration;
  const dim3 blocks(static_cast<unsigned>(grid.blocks));
  const dim3 threads(static_cast<unsigned>(grid.threads));
  if (grid.shared_bytes > kPlainSharedBytes) {
    const int error = allow_shared_memory(reinterpret_cast<const void*>(kernel));
    if (error != 0) return error;
  }
  kernel<<<blocks, threads, grid.shared_bytes, static_cast<cudaStream_t>(stream)>>>(
      Parameters(arguments)...);
  return static_cast<int>(cudaGetLastError());
}

// Brings a kernel to the device, which else its first launch does. While work is kept for a graph
// the driver may not be able to.
template <class... Parameters>
int load(void (*kernel)(Parameters...)) {
  cudaFuncAttributes attributes;
  return taken(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel)));
}
#endif

}  // namespace arignote::device

#else

#include <tuple>
#include <utility>

#include "device/emulation.hpp"

#define ARN_DEVICE inline
#define ARN_KERNEL void
#define ARN_KERNEL_SHARING(blocks) void
#define ARN_ARGUMENT(Type, name) const Type name
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
inline bool any_of_block(bool condition) { return emulation::any_of_block(condition); }

template <class T>
T shuffle_down(T value, int by) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  T result = value;
  emulation::shuffle(&value, &result, sizeof(T), by);
  return result;
}

template <class T>
T shuffle_from(T value, int lane) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  T result = value;
  emulation::shuffle(&value, &result, sizeof(T), lane - thread_index() % kWarpThreads);
  return result;
}

template <int kBytes>
void begin_copy(std::byte* shared, const std::byte* memory) {
  emulation::begin_copy(shared, memory, kBytes);
}
inline void end_copies() { emulation::end_copies(); }
template <int kLeft>
void wait_for_copies() {
  emulation::wait_for_copies(kLeft);
}

inline void read_ahead(const std::byte* memory) { emulation::read_ahead(memory); }

inline std::byte* shared_memory() { return emulation::dynamic_memory(); }

inline void atomic_min(std::int64_t* at, std::int64_t value) {
  if (value < *at) *at = value;
}
inline void atomic_max(std::int64_t* at, std::int64_t value) {
  if (value > *at) *at = value;
}

// What runs one thread with arguments that are copied as the driver does.
namespace emulation {
template <class... Parameters>
std::function<void()> bound(void (*kernel)(Parameters...), void** arguments) {
  return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
    const std::tuple<Parameters...> copies(*static_cast<Parameters*>(arguments[kIndex])...);
    return [kernel, copies] { std::apply(kernel, copies); };
  }(std::index_sequence_for<Parameters...>{});
}
}  // namespace emulation

template <class... Parameters, class... Arguments>
int launch(void (*kernel)(Parameters...), const Grid& grid, Stream stream, Arguments... arguments) {
  return emulation::run(
      {grid.blocks, grid.threads, grid.has_barriers, grid.shared_bytes},
      [=] { kernel(Parameters(arguments)...); }, stream, reinterpret_cast<const void*>(kernel));
}

template <class... Parameters>
int load(void (*kernel)(Parameters...)) {
  emulation::load(reinterpret_cast<const void*>(kernel));
  return 0;
}

}  // namespace arignote::device

#endif
