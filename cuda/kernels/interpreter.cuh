// What a program does with one element, operation by operation.
#pragma once

#include "core/view.hpp"
#include "kernels/elementwise.cuh"
#include "kernels/small_programs.hpp"

namespace arignote::device {

// Leaves what is not stored in the slots.
template <class Program, class Args>
ARN_DEVICE void interpret(const Args& p, const Place<Program>& place, Bits* slots) {
  for (int i = 0; i < p.n_operations; ++i) {
    const Operation o = p.operations[i];
    switch (o.kind) {
      case Operation::Kind::kLoad: slots[o.slot] = load_bits(o.to, place.in(p, o.a)); break;
      case Operation::Kind::kStore: store_bits(o.from, slots[o.b], place.in(p, o.a)); break;
      default: slots[o.slot] = result_of(o, slots);
    }
  }
}

struct SmallNumbering {
  using Index = std::int64_t;
  static constexpr int kMostAxes = kMaxDims;

  ARN_DEVICE static int ndim(const SmallProgram& p) { return p.ndim; }
  ARN_DEVICE static int border(const SmallProgram&) { return 0; }
};

ARN_DEVICE void interpret_element(const SmallProgram& p, std::int64_t element) {
  Bits slots[kMostSmallSlots];
  interpret(p, Place<SmallNumbering>(p, 0, element), slots);
}

}  // namespace arignote::device
