// A matrix product with few columns, as the kernel of a dot step runs it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/narrow_product.hpp"
#include "kernels/transfer.hpp"

namespace arignote {

// out = a * b with few columns, where a has dense rows (a row of out for each row of x = a), or
// dense columns (out is a sum over the rows of x, the transpose of a).
class NarrowDot {
 public:
  // Whether it takes such operands, which dtypes, strides and the lengths but that of the rows of x
  // decide. a has the dtype of b, or bytes (bool, int8 or uint8) where b is float32.
  bool plan(const Layout& a, const Layout& b);

  std::size_t workspace_bytes() const;
  double cost() const;
  void run(const RunArgs& args) const noexcept;

  // As in Kernel.
  std::size_t prepared_bytes() const;
  const std::byte* prepare(const std::byte* b, const std::byte* x,
                           std::byte* memory) const noexcept;
  std::size_t sum_bytes() const { return form_ == Form::kBackward ? small_bytes() : 0; }
  void finish(const std::byte* sum, std::byte* out) const noexcept;

 private:
  enum class Form { kNone, kForward, kBackward };

  void plan_parts();
  // Of the matrix of `features` rows that is held by columns; 0 if it is used as it is.
  std::size_t small_bytes() const;
  // Of a sum over a part of the features, or of the rows.
  std::int64_t part_length() const;
  std::size_t part_bytes() const;
  void run_forward(const RunArgs& args) const noexcept;
  void forward_rows(const RunArgs& args, const std::byte* w) const noexcept;
  void forward_parts(const RunArgs& args, const std::byte* w, std::byte* sums) const noexcept;
  void run_backward(const RunArgs& args) const noexcept;
  void backward_features(const RunArgs& args, std::byte* sums) const noexcept;
  void backward_parts(const RunArgs& args, std::byte* sums) const noexcept;
  void add_parts(std::byte* sums) const noexcept;

  Form form_ = Form::kNone;
  NarrowProduct functions_{};
  NarrowShape shape_;
  std::int64_t x_item_ = 0;
  std::int64_t item_ = 0;
  std::int64_t grain_ = 1;  // rows of out for each task
  std::int64_t parts_ = 1;  // that are summed up on their own, one task each
  RunFn add_ = nullptr;
  bool is_column_ = false;  // b is one dense column
  Transfer transpose_;      // of b to columns, or of the sums to out
};

}  // namespace arignote
