// What a step "dot" may be, wherever it runs:
//
//   dot  ints: 1 if float32 may be multiplied in TF32, or none
//        a, b -> out   ranks (1, 1), (2, 1), (1, 2), (2, 2)
//
// all of one number dtype, or of one half, float16 or bfloat16; or with a of bytes and the others
// of float32. Products of halves are added up in float32, and what they give is rounded once: so
// sums over blocks of rows are in float32.
#pragma once

#include "kernels/kernel.hpp"

namespace arignote {

bool is_bytes(DType dtype);
bool is_dot(const StepSpec& spec);
bool may_use_tf32(const StepSpec& spec);

Layout transposed(Layout matrix);

// A left vector is a row, a right vector a column.
struct DotOperands {
  Layout a;
  Layout b;
};

// The operands as matrices, if they fit each other and the output.
Status dot_operands(std::span<const Layout> inputs, const Layout& out, DotOperands& operands);

}  // namespace arignote
