// Large products of matrices by cuBLASLt.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "backend/blas_lt.hpp"
#include "kernels/kernel.hpp"

namespace arignote::device {

class Device;

class BlasProduct {
 public:
  // Whether a product of such matrices is one for cuBLASLt, if its result has no gaps.
  bool plan(const Layout& a, const Layout& b, DType out, bool may_use_tf32);
  // Valid after plan().
  std::size_t workspace_bytes() const;

  // Chooses how to multiply on a device, if cuBLASLt is there.
  Status choose(const Device& device);
  // Whether it knows how, with operands and a result at such addresses.
  bool can_run(const RunArgs& args, const std::byte* out) const {
    return choice_for(args, out).has_value();
  }
  // Queues the product, which is added to the result if args says so. That knows nothing of faults,
  // and writes its result in any case.
  Status run(const RunArgs& args, std::byte* out, void* stream) const;

 private:
  // As cuBLASLt sees memory: column by column.
  struct Matrix {
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t step;  // from column to column, in elements
    bool is_transposed;  // it is the transpose that is multiplied
  };
  struct Destroy {
    int (*destroy)(void*);
    void operator()(void* descriptor) const { static_cast<void>(destroy(descriptor)); }
  };
  using Descriptor = std::unique_ptr<void, Destroy>;
  using Choice = std::optional<blas_lt::Choice>;

  static std::optional<Matrix> factor_of(const Layout& matrix);
  std::size_t most_workspace() const;
  Status describe_product();
  Status describe(const Matrix& matrix, DType dtype, Descriptor& descriptor) const;
  bool has_aligned_steps() const;
  Status choose(std::size_t alignment, Choice& choice) const;
  Status prefer(std::size_t alignment, void* preference) const;
  const Choice& choice_for(const RunArgs& args, const std::byte* out) const;

  DType dtype_ = DType::kFloat32;  // of both operands
  DType out_ = DType::kFloat32;
  bool may_use_tf32_ = false;
  // What lies in memory row by row is the transpose of what cuBLASLt sees there. So it computes the
  // transpose of the result: that of b by that of a.
  Matrix left_{};   // b
  Matrix right_{};  // a
  Matrix result_{};

  const BlasLt* blas_ = nullptr;
  Descriptor product_;
  Descriptor left_matrix_;
  Descriptor right_matrix_;
  Descriptor result_matrix_;
  // If all addresses, and steps, are multiples of kAlignment, and if one is not: a window may begin
  // anywhere.
  Choice aligned_;
  Choice unaligned_;
};

}  // namespace arignote::device
