// The kernels of elementwise programs, for whatever evaluates an element: the interpreter, or
// source that is written for one program. Reductions have two stages: each block leaves partial
// results of its own, which are then joined in order. How the work is cut follows from the shapes,
// so results are always the same, whoever evaluates.
//
// A Program has
//   Index                    integers that number the elements
//   kCount                   so many neighbours are evaluated at once; one in a reduction
//   kUnrolled                so many elements of a reduction are read at a time
//   kMostAxes, kSlots        how many there are, at most
//   ndim(p), border(p)       of the axes
//   evaluate(p, place, left, slots)
//                            computes what is at a place and behind it, `left` elements of it, and
//                            stores what is not reduced; the slots are of the last element
//   n_reduced(r), reduced(outputs, i)
//                            how many values are reduced, and what the i-th is
#pragma once

#include <limits>

#include "kernels/elementwise.hpp"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {

ARN_DEVICE Bits compute(ScalarOp op, DType from, DType to, Bits a, Bits b, Bits c) {
  if (from == DType::kFloat32) {
    return apply(op, value_of<float>(a), value_of<float>(b), value_of<float>(c));
  }
  if (from == DType::kFloat64) {
    return apply(op, value_of<double>(a), value_of<double>(b), value_of<double>(c));
  }
  const Bits bits = is_signed(from) ? apply(op, value_of<std::int64_t>(a),
                                            value_of<std::int64_t>(b), value_of<std::int64_t>(c))
                                    : apply(op, a, b, c);
  return to == DType::kBool ? bits & 1 : cut(to, bits);
}

ARN_DEVICE Bits select(Bits condition, Bits a, Bits b) { return condition != 0 ? a : b; }

// Of an operation that neither loads nor stores.
ARN_DEVICE Bits result_of(const Operation& o, const Bits* slots) {
  switch (o.kind) {
    case Operation::Kind::kCast: return cast(slots[o.a], o.from, o.to);
    case Operation::Kind::kSelect: return select(slots[o.a], slots[o.b], slots[o.c]);
    default:
      return compute(static_cast<ScalarOp>(o.op), o.from, o.to, slots[o.a], slots[o.b], slots[o.c]);
  }
}

// The position of an element along each axis. Args have axes and operands as ProgramArgs do.
template <class Program>
class Place {
 public:
  using Index = typename Program::Index;

  // Of the outer axes, those before the border, and of the inner ones.
  template <class Args>
  ARN_DEVICE Place(const Args& p, std::int64_t outer, std::int64_t inner) {
    split(p.axes, 0, Program::border(p), static_cast<Index>(outer));
    split(p.axes, Program::border(p), Program::ndim(p), static_cast<Index>(inner));
  }

  template <class Args>
  ARN_DEVICE std::byte* in(const Args& p, int operand) const {
    return in(p, operand, strides_of(p, operand)[Program::ndim(p) - 1]);
  }
  // Given the stride along the last axis.
  template <class Args>
  ARN_DEVICE std::byte* in(const Args& p, int operand, std::int64_t last_stride) const {
    const int last = Program::ndim(p) - 1;
    const std::int64_t* const strides = strides_of(p, operand);
    std::int64_t offset = static_cast<std::int64_t>(index_[last]) * last_stride;
    for (int axis = 0; axis < last; ++axis) {
      offset += static_cast<std::int64_t>(index_[axis]) * strides[axis];
    }
    return p.operands[operand] + offset;
  }

 private:
  template <class Args>
  ARN_DEVICE static const std::int64_t* strides_of(const Args& p, int operand) {
    return p.axes + (1 + operand) * Program::ndim(p);
  }

  ARN_DEVICE void split(const std::int64_t* lengths, int first, int end, Index number) {
    for (int axis = end - 1; axis > first; --axis) {
      const auto length = static_cast<Index>(lengths[axis]);
      const Index rest = number / length;
      index_[axis] = number - rest * length;
      number = rest;
    }
    if (end > first) index_[first] = number;
  }

  Index index_[Program::kMostAxes];
};

template <int kBytes>
struct Unsigned;
template <>
struct Unsigned<1> {
  using Type = std::uint8_t;
};
template <>
struct Unsigned<2> {
  using Type = std::uint16_t;
};
template <>
struct Unsigned<4> {
  using Type = std::uint32_t;
};
template <>
struct Unsigned<8> {
  using Type = std::uint64_t;
};

// Neighbours in memory, which are read and written as one where they all are there and begin at a
// multiple of what they take.
template <int kCount, int kItemBytes>
class Elements {
 public:
  ARN_DEVICE void read(const std::byte* from, int left) {
    if (is_whole(from, left)) {
      pack_ = *reinterpret_cast<const Pack*>(from);
      return;
    }
    pack_ = {};
    for (int i = 0; i < kCount; ++i) {
      if (i < left) pack_.items[i] = reinterpret_cast<const Item*>(from)[i];
    }
  }

  ARN_DEVICE void write(std::byte* to, int left) const {
    if (is_whole(to, left)) {
      *reinterpret_cast<Pack*>(to) = pack_;
      return;
    }
    for (int i = 0; i < kCount; ++i) {
      if (i < left) reinterpret_cast<Item*>(to)[i] = pack_.items[i];
    }
  }

  ARN_DEVICE std::byte* at(int i) { return reinterpret_cast<std::byte*>(&pack_.items[i]); }

 private:
  using Item = typename Unsigned<kItemBytes>::Type;
  struct alignas(kCount* kItemBytes) Pack {
    Item items[kCount];
  };

  ARN_DEVICE static bool is_whole(const std::byte* memory, int left) {
    if constexpr (kCount == 1) return true;
    return left >= kCount && reinterpret_cast<std::size_t>(memory) % sizeof(Pack) == 0;
  }

  Pack pack_;
};

ARN_DEVICE bool has_failed(const Fault* fault) { return fault->step >= 0; }

template <class Program>
ARN_DEVICE void evaluate_all(const ProgramArgs& p) {
  const std::int64_t element = (block_index() * block_threads() + thread_index()) * Program::kCount;
  if (element >= p.count || has_failed(p.fault)) return;
  const std::int64_t left = p.count - element;
  Bits slots[Program::kSlots];
  Program::evaluate(p, Place<Program>(p, 0, element),
                    left < Program::kCount ? static_cast<int>(left) : Program::kCount, slots);
}

// --- reductions

ARN_DEVICE bool is_float(DType dtype) { return dtype >= DType::kFloat16; }

// A number of a floating-point dtype as the double in which it is summed up.
ARN_DEVICE double as_double(DType dtype, Bits bits) {
  return dtype == DType::kFloat64 ? value_of<double>(bits) : value_of<float>(bits);
}

ARN_DEVICE Bits neutral(const ReducedValue& value) {
  const double kInfinity = std::numeric_limits<double>::infinity();
  const bool is_least = value.reduction == Reduction::kMaximum;
  switch (value.reduction) {
    case Reduction::kSum: return 0;
    case Reduction::kProduct: return is_float(value.from) ? bits_of(1.0) : 1;
    case Reduction::kAll: return 1;
    case Reduction::kAny: return 0;
    default: break;
  }
  if (is_float(value.from)) return bits_of(is_least ? -kInfinity : kInfinity);
  if (!is_signed(value.from)) return is_least ? 0 : ~Bits{0};
  return bits_of(is_least ? std::numeric_limits<std::int64_t>::min()
                          : std::numeric_limits<std::int64_t>::max());
}

template <class T>
ARN_DEVICE Bits join_as(Reduction reduction, Bits x, Bits y) {
  const T a = value_of<T>(x);
  const T b = value_of<T>(y);
  switch (reduction) {
    case Reduction::kSum: return apply(ScalarOp::add_op, a, b, b);
    case Reduction::kProduct: return apply(ScalarOp::mul_op, a, b, b);
    case Reduction::kMinimum: return apply(ScalarOp::minimum_op, a, b, b);
    case Reduction::kMaximum: return apply(ScalarOp::maximum_op, a, b, b);
    case Reduction::kAll: return x != 0 && y != 0 ? 1 : 0;
    default: return x != 0 || y != 0 ? 1 : 0;
  }
}

ARN_DEVICE Bits join(const ReducedValue& value, Bits a, Bits b) {
  if (value.reduction >= Reduction::kAll) return join_as<Bits>(value.reduction, a, b);
  if (is_float(value.from)) return join_as<double>(value.reduction, a, b);
  return is_signed(value.from) ? join_as<std::int64_t>(value.reduction, a, b)
                               : join_as<Bits>(value.reduction, a, b);
}

// What an element is to its reduction.
ARN_DEVICE Bits taken(const ReducedValue& value, Bits bits) {
  if (value.reduction >= Reduction::kAll) return cast(bits, value.from, DType::kBool);
  return is_float(value.from) ? bits_of(as_double(value.from, bits)) : bits;
}

// The dtype whose bits a reduction comes to.
ARN_DEVICE DType reduced_dtype(const ReducedValue& value) {
  const bool is_real = is_float(value.from) && value.reduction < Reduction::kAll;
  return is_real ? DType::kFloat64 : is_signed(value.from) ? DType::kInt64 : DType::kUInt64;
}

ARN_DEVICE std::uint64_t* partial_of(const ReductionArgs& r, int output, std::int64_t chunk,
                                     std::int64_t result) {
  return r.partial + (output * r.chunks + chunk) * r.kept + result;
}

struct Range {
  std::int64_t first;
  std::int64_t end;
};

ARN_DEVICE Range chunk_of(const ReductionArgs& r, std::int64_t chunk) {
  const std::int64_t least = r.reduced / r.chunks;
  const std::int64_t longer = r.reduced % r.chunks;
  const std::int64_t first = chunk * least + (chunk < longer ? chunk : longer);
  return {first, first + least + (chunk < longer ? 1 : 0)};
}

// The results so far of one thread.
template <class Program>
class Sums {
 public:
  ARN_DEVICE Sums(const ReductionArgs& r, const ReducedOutputs& outputs)
      : r_(r), outputs_(outputs) {
    for (int i = 0; i < Program::n_reduced(r); ++i) sums_[i] = neutral(value(i));
  }

  ARN_DEVICE void take(const Place<Program>& place) {
    Bits slots[Program::kSlots];
    Program::evaluate(r_.program, place, 1, slots);
    for (int i = 0; i < Program::n_reduced(r_); ++i) {
      sums_[i] = join(value(i), sums_[i], taken(value(i), slots[value(i).slot]));
    }
  }

  ARN_DEVICE ReducedValue value(int i) const { return Program::reduced(outputs_, i); }
  ARN_DEVICE Bits operator[](int i) const { return sums_[i]; }

 private:
  const ReductionArgs& r_;
  const ReducedOutputs& outputs_;
  Bits sums_[Program::kMostReduced];
};

// Takes what a thread has of a reduction, of which kUnrolled elements are read before the first of
// them is joined: also at the end, where there may be fewer.
template <class Program, class PlaceOf>
ARN_DEVICE void take_all(Sums<Program>& sums, std::int64_t first, std::int64_t end, int step,
                         PlaceOf&& place_of) {
  constexpr int kMany = Program::kUnrolled;
  std::int64_t k = first;
  for (; k + (kMany - 1) * step < end; k += kMany * step) {
    ARN_UNROLL
    for (int i = 0; i < kMany; ++i) sums.take(place_of(k + i * step));
  }
  ARN_UNROLL
  for (int i = 0; i < kMany - 1; ++i) {
    if (k + i * step < end) sums.take(place_of(k + i * step));
  }
}

// A block for each result and chunk: its threads take elements in turns, and their results are
// joined as a tree.
template <class Program>
ARN_DEVICE void reduce_by_rows(const ReductionArgs& r, const ReducedOutputs& outputs) {
  ARN_SHARED(Bits, shared, kBlockThreads);
  if (has_failed(r.program.fault)) return;
  const std::int64_t result = block_index() / r.chunks;
  const std::int64_t chunk = block_index() % r.chunks;
  const Range range = chunk_of(r, chunk);
  Sums<Program> sums(r, outputs);
  take_all(sums, range.first + thread_index(), range.end, block_threads(),
           [&](std::int64_t k) { return Place<Program>(r.program, result, k); });
  for (int i = 0; i < Program::n_reduced(r); ++i) {
    shared[thread_index()] = sums[i];
    sync_threads();
    for (int half = block_threads() / 2; half > 0; half /= 2) {
      if (thread_index() < half) {
        shared[thread_index()] =
            join(sums.value(i), shared[thread_index()], shared[thread_index() + half]);
      }
      sync_threads();
    }
    if (thread_index() == 0) *partial_of(r, i, chunk, result) = shared[0];
    sync_threads();
  }
}

// A thread for each result, so that neighbours read neighbours; a row of blocks for each chunk.
template <class Program>
ARN_DEVICE void reduce_by_columns(const ReductionArgs& r, const ReducedOutputs& outputs) {
  if (has_failed(r.program.fault)) return;
  const std::int64_t across = (r.kept + block_threads() - 1) / block_threads();
  const std::int64_t result = block_index() % across * block_threads() + thread_index();
  const std::int64_t chunk = block_index() / across;
  if (result >= r.kept) return;
  const Range range = chunk_of(r, chunk);
  Sums<Program> sums(r, outputs);
  take_all(sums, range.first, range.end, 1,
           [&](std::int64_t k) { return Place<Program>(r.program, k, result); });
  for (int i = 0; i < Program::n_reduced(r); ++i) *partial_of(r, i, chunk, result) = sums[i];
}

}  // namespace arignote::device
