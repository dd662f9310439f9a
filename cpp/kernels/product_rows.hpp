// A matrix product whose rows are computed when they are read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/buffer.hpp"
#include "kernels/factor.hpp"
#include "kernels/kernel.hpp"
#include "kernels/matrix_tile.hpp"
#include "kernels/transfer.hpp"

namespace arignote {

// Of a (m x k) and b (k x n). Both are copied, so that nobody has to keep them: they are small
// beside the product. Its elements are summed as MatrixProduct does it.
template <class T>
class ProductRows final : public RowSource {
 public:
  // Whether that is worthwhile, and there is memory for it.
  bool plan(const ProductShape& shape) noexcept;
  void take(const Factor<T>& a, const Factor<T>& b) noexcept;
  void compute(std::int64_t first, std::int64_t last, std::byte* rows) const noexcept override;

 private:
  void copy_lines(const Factor<T>& lines, std::int64_t first, std::int64_t last) noexcept;
  void pack_columns(const Factor<T>& b, std::int64_t first, std::int64_t last) noexcept;
  T* packed() const { return reinterpret_cast<T*>(memory_.data()); }
  // Of a, as it lies in memory.
  std::int64_t length_of_line() const { return a_.row_step == 1 ? shape_.m : shape_.k; }
  T* copy() const { return packed() + packed_length_; }

  ProductShape shape_;
  MatrixFunctions<T> functions_{};
  RunFn copy_ = nullptr;
  Buffer memory_;  // b, packed, then a
  std::int64_t packed_length_ = 0;
  Factor<T> a_{};  // the copy
};

}  // namespace arignote
