// Holds blas_lt_api.hpp against NVIDIA's header. Compiled where that is found; there is nothing
// here to run.
#include <cublasLt.h>

#include <type_traits>

#include "backend/blas_lt_api.hpp"

namespace arignote::device::blas_lt {
namespace {

// --- values

static_assert(kSuccess == CUBLAS_STATUS_SUCCESS);
static_assert(kAllocationFailed == CUBLAS_STATUS_ALLOC_FAILED);
static_assert(kArchitectureMismatch == CUBLAS_STATUS_ARCH_MISMATCH);
static_assert(kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(kFloat32 == CUDA_R_32F);
static_assert(kFloat64 == CUDA_R_64F);
static_assert(kFloat16 == CUDA_R_16F);
static_assert(kBFloat16 == CUDA_R_16BF);
static_assert(kComputeFloat32 == CUBLAS_COMPUTE_32F);
static_assert(kComputeFloat64 == CUBLAS_COMPUTE_64F);
static_assert(kComputeTf32 == CUBLAS_COMPUTE_32F_FAST_TF32);
static_assert(kTransposed == CUBLAS_OP_T);
static_assert(kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(kTransposeB == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(kMostWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(kReductionSchemes == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(kAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(kReductionInComputeType == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);

// --- structures

using HeuristicResult = cublasLtMatmulHeuristicResult_t;
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(alignof(Algorithm) == alignof(cublasLtMatmulAlgo_t));
static_assert(sizeof(Choice) == sizeof(HeuristicResult));
static_assert(offsetof(Choice, algorithm) == offsetof(HeuristicResult, algo));
static_assert(offsetof(Choice, workspace) == offsetof(HeuristicResult, workspaceSize));
static_assert(offsetof(Choice, status) == offsetof(HeuristicResult, state));
static_assert(offsetof(Choice, waves) == offsetof(HeuristicResult, wavesCount));

// --- functions

// Whether two types are passed in the same way: numbers are as long, and enumerations are integers.
template <class Ours, class Theirs>
constexpr bool is_alike() {
  constexpr bool are_integers =
      std::is_integral_v<Ours> && (std::is_integral_v<Theirs> || std::is_enum_v<Theirs>);
  constexpr bool are_pointers = std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>;
  return sizeof(Ours) == sizeof(Theirs) && (are_integers || are_pointers);
}

template <class Ours, class Theirs>
struct IsCalledAs : std::false_type {};

template <class OurResult, class... Ours, class TheirResult, class... Theirs>
  requires(sizeof...(Ours) == sizeof...(Theirs))
struct IsCalledAs<OurResult (*)(Ours...), TheirResult (*)(Theirs...)>
    : std::bool_constant<is_alike<OurResult, TheirResult>() && (is_alike<Ours, Theirs>() && ...)> {
};

template <class Ours, class Theirs>
constexpr bool is_called_as(Ours, Theirs) {
  return IsCalledAs<Ours, Theirs>::value;
}

static_assert(is_called_as(Api{}.version, cublasLtGetVersion));
static_assert(is_called_as(Api{}.status_name, cublasLtGetStatusName));
static_assert(is_called_as(Api{}.create, cublasLtCreate));
static_assert(is_called_as(Api{}.create_product, cublasLtMatmulDescCreate));
static_assert(is_called_as(Api{}.destroy_product, cublasLtMatmulDescDestroy));
static_assert(is_called_as(Api{}.set_product, cublasLtMatmulDescSetAttribute));
static_assert(is_called_as(Api{}.create_matrix, cublasLtMatrixLayoutCreate));
static_assert(is_called_as(Api{}.destroy_matrix, cublasLtMatrixLayoutDestroy));
static_assert(is_called_as(Api{}.create_preference, cublasLtMatmulPreferenceCreate));
static_assert(is_called_as(Api{}.destroy_preference, cublasLtMatmulPreferenceDestroy));
static_assert(is_called_as(Api{}.set_preference, cublasLtMatmulPreferenceSetAttribute));
static_assert(is_called_as(Api{}.choose, cublasLtMatmulAlgoGetHeuristic));
static_assert(is_called_as(Api{}.multiply, cublasLtMatmul));

}  // namespace
}  // namespace arignote::device::blas_lt
