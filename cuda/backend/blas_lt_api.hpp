// What is used of cuBLASLt. Building needs no header of its: functions are found by their names
// when the library is opened, and blas_lt_check.cpp holds all of this against NVIDIA's header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arignote::device::blas_lt {

// cublasStatus_t
inline constexpr int kSuccess = 0;
inline constexpr int kAllocationFailed = 3;
inline constexpr int kArchitectureMismatch = 8;
inline constexpr int kNotSupported = 15;

// cudaDataType_t
inline constexpr int kFloat32 = 0;
inline constexpr int kFloat64 = 1;
inline constexpr int kFloat16 = 2;
inline constexpr int kBFloat16 = 14;

// cublasComputeType_t
inline constexpr int kComputeFloat32 = 68;
inline constexpr int kComputeFloat64 = 70;
inline constexpr int kComputeTf32 = 77;  // of float32, which is rounded to TF32

// cublasOperation_t
inline constexpr std::int32_t kTransposed = 1;

// cublasLtMatmulDescAttributes_t
inline constexpr int kTransposeA = 3;
inline constexpr int kTransposeB = 4;

// cublasLtMatmulPreferenceAttributes_t, with values of std::uint64_t for the first, and of
// std::uint32_t for the others.
inline constexpr int kMostWorkspace = 1;
inline constexpr int kReductionSchemes = 3;
inline constexpr int kAlignmentA = 5;
inline constexpr int kAlignmentB = 6;
inline constexpr int kAlignmentC = 7;
inline constexpr int kAlignmentD = 8;

// cublasLtReductionScheme_t
inline constexpr std::uint32_t kReductionInComputeType = 2;

// How the workspace must lie.
inline constexpr std::size_t kWorkspaceAlignment = 256;

struct Algorithm {
  std::uint64_t data[8];
};

// cublasLtMatmulHeuristicResult_t
struct Choice {
  Algorithm algorithm;
  std::size_t workspace;  // bytes
  int status;
  float waves;
  int reserved[4];
};

// Handles and descriptors are pointers to what only cuBLASLt knows.
struct Api {
  std::size_t (*version)();
  const char* (*status_name)(int status);
  int (*create)(void** handle);

  int (*create_product)(void** product, int compute_type, int scale_type);
  int (*destroy_product)(void* product);
  int (*set_product)(void* product, int attribute, const void* value, std::size_t bytes);

  // A matrix whose columns lie `step` elements apart.
  int (*create_matrix)(void** matrix, int type, std::uint64_t rows, std::uint64_t columns,
                       std::int64_t step);
  int (*destroy_matrix)(void* matrix);

  int (*create_preference)(void** preference);
  int (*destroy_preference)(void* preference);
  int (*set_preference)(void* preference, int attribute, const void* value, std::size_t bytes);

  int (*choose)(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference,
                int wanted, Choice* choices, int* found);
  // d = alpha * a * b + beta * c
  int (*multiply)(void* handle, void* product, const void* alpha, const void* a, void* a_matrix,
                  const void* b, void* b_matrix, const void* beta, const void* c, void* c_matrix,
                  void* d, void* d_matrix, const Algorithm* algorithm, void* workspace,
                  std::size_t workspace_bytes, void* stream);
};

}  // namespace arignote::device::blas_lt
