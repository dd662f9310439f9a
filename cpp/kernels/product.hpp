// Matrix products of operands that lie in memory as a BLAS wants them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/factor.hpp"
#include "kernels/matrix_product.hpp"

namespace arignote {

// out (m x n) = a (m x k) * b (k x n), through tiles that follow from the shape alone, for float
// and double, or added to out. Of the steps of a factor one must be 1, and the other at least the
// length that the first one runs over and at most blas::kMaxExtent.
template <class T>
class RealProduct {
 public:
  // The factors' layouts may change how the work is cut, as the shape does.
  void plan(const ProductShape& shape, bool dense_a_rows, bool dense_b_columns) noexcept;
  std::size_t workspace_bytes() const noexcept;
  // Adding is for matrices: neither m nor n may be 1.
  void run(const Factor<T>& a, const Factor<T>& b, const Result<T>& out, bool adds,
           std::byte* workspace) const noexcept;

 private:
  struct VectorProduct {
    Factor<T> matrix;
    const T* x;
    std::int64_t x_step;
    T* y;
    std::int64_t y_step;
  };
  void plan_vector(std::int64_t outputs, bool dense_rows) noexcept;
  void run_vector(const VectorProduct& product, std::byte* workspace) const noexcept;

  ProductShape shape_;
  MatrixProduct<T> matrix_;
  bool is_vector_ = false;
  std::int64_t tile_rows_ = 1;
  std::int64_t tile_depth_ = 1;
};

// The same by its definition, for any steps: for products so small that calling a BLAS would take
// longer, and for what a BLAS leaves out.
template <class T>
void plain_product(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                   const Result<T>& out) noexcept;

// out (m x n) = a (m x k) * b (k x n) for unsigned integers, which wrap (as signed ones do, bit for
// bit); logical: out is the "or" of "and"s. b.column_step must be 1 unless n is.
template <class T, bool kLogical>
void integer_product(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                     const Result<T>& out) noexcept;

}  // namespace arignote
