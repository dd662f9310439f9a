// The calls of CUDA's runtime that the backend makes, as a table: tests put another driver in
// place. Each returns a cudaError_t as an int, 0 for success.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arignote::device {

inline constexpr int kNoError = 0;
inline constexpr int kErrorMemory = 2;
inline constexpr int kErrorOldDriver = 35;
inline constexpr int kErrorNoDevice = 100;
inline constexpr int kErrorNumber = 101;

enum class CopyKind : std::uint8_t { kToDevice = 1, kToHost = 2, kOnDevice = 3 };

struct Properties {
  char name[256];
  int major;
  int minor;
  std::size_t memory;
};

struct Api {
  int (*count_devices)(int* count);
  // Of the calling thread.
  int (*current_device)(int* number);
  int (*use_device)(int number);
  int (*properties)(int number, Properties* properties);
  // What a block may have of shared memory if it asks for it.
  int (*shared_bytes)(int number, int* bytes);
  // As 1000 * major + 10 * minor; the driver's is 0 where there is none.
  int (*driver_version)(int* version);
  int (*runtime_version)(int* version);

  int (*allocate)(void** memory, std::size_t bytes);
  int (*release)(void* memory);
  // Memory of the host's that is pinned. Nothing may be at work on it when it is released.
  int (*allocate_host)(void** memory, std::size_t bytes);
  int (*release_host)(void* memory);
  int (*create_stream)(void** stream);
  int (*destroy_stream)(void* stream);
  int (*synchronise)(void* stream);
  // Host memory that is not pinned may change as soon as the call returns, and is written then;
  // what is pinned is read or written at any time until the stream is synchronised.
  int (*copy)(void* to, const void* from, std::size_t bytes, CopyKind kind, void* stream);

  // What is queued on a stream in between is kept as a graph, which has to be released.
  int (*begin_capture)(void* stream);
  int (*end_capture)(void* stream, void** graph);
  int (*launch_graph)(void* graph, void* stream);
  int (*release_graph)(void* graph);

  const char* (*error_name)(int error);
  const char* (*error_text)(int error);
};

const Api& api();

}  // namespace arignote::device
