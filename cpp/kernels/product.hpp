// Matrix products by their definition.
#pragma once

#include <cstdint>

#include "kernels/factor.hpp"

namespace arignote {

// out (m x n) = a (m x k) * b (k x n), for any steps: for products that are tiny.
template <class T>
void plain_product(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                   const Result<T>& out) noexcept;

// The same for unsigned integers, which wrap (as signed ones do, bit for
// bit); logical: out is the "or" of "and"s. b.column_step must be 1 unless n is.
template <class T, bool kLogical>
void integer_product(const ProductShape& shape, const Factor<T>& a, const Factor<T>& b,
                     const Result<T>& out) noexcept;

}  // namespace arignote
