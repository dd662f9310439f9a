// Elementwise programs are interpreted, one element by each thread. Reductions have two stages:
// each block leaves partial results of its own, which are then joined in order. How the work is cut
// follows from the shapes, so results are always the same.
#include "kernels/elementwise.hpp"

#include "core/view.hpp"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {
namespace {

ARN_DEVICE Bits compute(const Operation& o, Bits a, Bits b, Bits c) {
  const auto op = static_cast<ScalarOp>(o.op);
  if (o.from == DType::kFloat32) {
    return apply(op, value_of<float>(a), value_of<float>(b), value_of<float>(c));
  }
  if (o.from == DType::kFloat64) {
    return apply(op, value_of<double>(a), value_of<double>(b), value_of<double>(c));
  }
  const Bits bits = is_signed(o.from) ? apply(op, value_of<std::int64_t>(a),
                                              value_of<std::int64_t>(b), value_of<std::int64_t>(c))
                                      : apply(op, a, b, c);
  return o.to == DType::kBool ? bits & 1 : cut(o.to, bits);
}

// The position of an element along each axis.
struct Place {
  std::int64_t index[kMaxDims];

  ARN_DEVICE Place(const ProgramArgs& p, std::int64_t element) {
    for (int axis = p.ndim - 1; axis > 0; --axis) {
      const std::int64_t length = p.axes[axis];
      const std::int64_t rest = element / length;
      index[axis] = element - rest * length;
      element = rest;
    }
    index[0] = element;
  }

  ARN_DEVICE std::byte* in(const ProgramArgs& p, int operand) const {
    const std::int64_t* const strides = p.axes + (1 + operand) * p.ndim;
    std::int64_t offset = 0;
    for (int axis = 0; axis < p.ndim; ++axis) offset += index[axis] * strides[axis];
    return p.operands[operand] + offset;
  }
};

template <int kSlots>
ARN_DEVICE void evaluate(const ProgramArgs& p, std::int64_t element, Bits (&slots)[kSlots]) {
  const Place place(p, element);
  for (int i = 0; i < p.n_operations; ++i) {
    const Operation o = p.operations[i];
    switch (o.kind) {
      case Operation::Kind::kLoad: slots[o.slot] = load_bits(o.to, place.in(p, o.a)); break;
      case Operation::Kind::kStore: store_bits(o.from, slots[o.b], place.in(p, o.a)); break;
      case Operation::Kind::kCast: slots[o.slot] = cast(slots[o.a], o.from, o.to); break;
      case Operation::Kind::kSelect:
        slots[o.slot] = slots[o.a] != 0 ? slots[o.b] : slots[o.c];
        break;
      case Operation::Kind::kCompute:
        slots[o.slot] = compute(o, slots[o.a], slots[o.b], slots[o.c]);
        break;
    }
  }
}

ARN_DEVICE bool has_failed(const Fault* fault) { return fault->step >= 0; }

template <int kSlots>
ARN_KERNEL run_elementwise(ProgramArgs p) {
  const std::int64_t element = block_index() * block_threads() + thread_index();
  if (element >= p.count || has_failed(p.fault)) return;
  Bits slots[kSlots];
  evaluate(p, element, slots);
}

// --- reductions

ARN_DEVICE bool is_float(DType dtype) { return dtype >= DType::kFloat16; }

// A number of a floating-point dtype as the double in which it is summed up.
ARN_DEVICE double as_double(DType dtype, Bits bits) {
  return dtype == DType::kFloat64 ? value_of<double>(bits) : value_of<float>(bits);
}

ARN_DEVICE Bits neutral(Reduction reduction, DType dtype) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool is_least = reduction == Reduction::kMaximum;
  switch (reduction) {
    case Reduction::kSum: return 0;
    case Reduction::kProduct: return is_float(dtype) ? bits_of(1.0) : 1;
    case Reduction::kAll: return 1;
    case Reduction::kAny: return 0;
    default: break;
  }
  if (is_float(dtype)) return bits_of(is_least ? -kInfinity : kInfinity);
  if (!is_signed(dtype)) return is_least ? 0 : ~Bits{0};
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

ARN_DEVICE Bits join(const ReducedOutput& output, Bits a, Bits b) {
  if (output.reduction >= Reduction::kAll) return join_as<Bits>(output.reduction, a, b);
  if (is_float(output.from)) return join_as<double>(output.reduction, a, b);
  return is_signed(output.from) ? join_as<std::int64_t>(output.reduction, a, b)
                                : join_as<Bits>(output.reduction, a, b);
}

// What an element is to its reduction.
ARN_DEVICE Bits taken(const ReducedOutput& output, Bits bits) {
  if (output.reduction >= Reduction::kAll) return cast(bits, output.from, DType::kBool);
  return is_float(output.from) ? bits_of(as_double(output.from, bits)) : bits;
}

ARN_DEVICE void finish(const ReducedOutput& output, std::int64_t result, Bits bits) {
  const bool is_real = is_float(output.from) && output.reduction < Reduction::kAll;
  const DType from = is_real                  ? DType::kFloat64
                     : is_signed(output.from) ? DType::kInt64
                                              : DType::kUInt64;
  store_bits(output.to, cast(bits, from, output.to), output.out + result * item_bytes(output.to));
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

// A block for each result and chunk: its threads take elements in turns, and their results are
// joined as a tree.
template <int kSlots>
ARN_KERNEL reduce_rows(ReductionArgs r, ReducedOutputs outputs) {
  ARN_SHARED(Bits, shared, kBlockThreads);
  if (has_failed(r.program.fault)) return;
  const std::int64_t result = block_index() / r.chunks;
  const std::int64_t chunk = block_index() % r.chunks;
  const Range range = chunk_of(r, chunk);
  Bits sums[kMostReductions];
  for (int i = 0; i < r.n_outputs; ++i) {
    sums[i] = neutral(outputs.items[i].reduction, outputs.items[i].from);
  }
  for (std::int64_t k = range.first + thread_index(); k < range.end; k += kBlockThreads) {
    Bits slots[kSlots];
    evaluate(r.program, result * r.reduced + k, slots);
    for (int i = 0; i < r.n_outputs; ++i) {
      const ReducedOutput& output = outputs.items[i];
      sums[i] = join(output, sums[i], taken(output, slots[output.slot]));
    }
  }
  for (int i = 0; i < r.n_outputs; ++i) {
    shared[thread_index()] = sums[i];
    sync_threads();
    for (int half = kBlockThreads / 2; half > 0; half /= 2) {
      if (thread_index() < half) {
        shared[thread_index()] =
            join(outputs.items[i], shared[thread_index()], shared[thread_index() + half]);
      }
      sync_threads();
    }
    if (thread_index() == 0) *partial_of(r, i, chunk, result) = shared[0];
    sync_threads();
  }
}

// A thread for each result, so that neighbours read neighbours; a row of blocks for each chunk.
template <int kSlots>
ARN_KERNEL reduce_columns(ReductionArgs r, ReducedOutputs outputs) {
  if (has_failed(r.program.fault)) return;
  const std::int64_t across = (r.kept + kBlockThreads - 1) / kBlockThreads;
  const std::int64_t result = block_index() % across * kBlockThreads + thread_index();
  const std::int64_t chunk = block_index() / across;
  if (result >= r.kept) return;
  const Range range = chunk_of(r, chunk);
  Bits sums[kMostReductions];
  for (int i = 0; i < r.n_outputs; ++i) {
    sums[i] = neutral(outputs.items[i].reduction, outputs.items[i].from);
  }
  for (std::int64_t k = range.first; k < range.end; ++k) {
    Bits slots[kSlots];
    evaluate(r.program, k * r.kept + result, slots);
    for (int i = 0; i < r.n_outputs; ++i) {
      const ReducedOutput& output = outputs.items[i];
      sums[i] = join(output, sums[i], taken(output, slots[output.slot]));
    }
  }
  for (int i = 0; i < r.n_outputs; ++i) *partial_of(r, i, chunk, result) = sums[i];
}

ARN_KERNEL join_chunks(ReductionArgs r, ReducedOutputs outputs) {
  const std::int64_t result = block_index() * kBlockThreads + thread_index();
  if (result >= r.kept || has_failed(r.program.fault)) return;
  for (int i = 0; i < r.n_outputs; ++i) {
    Bits sum = *partial_of(r, i, 0, result);
    for (std::int64_t chunk = 1; chunk < r.chunks; ++chunk) {
      sum = join(outputs.items[i], sum, *partial_of(r, i, chunk, result));
    }
    finish(outputs.items[i], result, sum);
  }
}

std::int64_t blocks_for(std::int64_t threads) {
  return (threads + kBlockThreads - 1) / kBlockThreads;
}

template <int kSlots>
int launch_reduction_with(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream) {
  return args.is_by_rows
             ? launch(reduce_rows<kSlots>,
                      {.blocks = args.kept * args.chunks, .has_barriers = true}, stream, args,
                      outputs)
             : launch(reduce_columns<kSlots>, {.blocks = blocks_for(args.kept) * args.chunks},
                      stream, args, outputs);
}

}  // namespace

int launch_elementwise(const ProgramArgs& args, Stream stream) {
  if (args.count == 0) return 0;
  const Grid grid{.blocks = blocks_for(args.count)};
  if (args.n_slots <= 8) return launch(run_elementwise<8>, grid, stream, args);
  if (args.n_slots <= 32) return launch(run_elementwise<32>, grid, stream, args);
  return launch(run_elementwise<kMostSlots>, grid, stream, args);
}

int launch_reduction(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream) {
  if (args.kept == 0) return 0;
  const int slots = args.program.n_slots;
  const int error = slots <= 8    ? launch_reduction_with<8>(args, outputs, stream)
                    : slots <= 32 ? launch_reduction_with<32>(args, outputs, stream)
                                  : launch_reduction_with<kMostSlots>(args, outputs, stream);
  if (error != 0) return error;
  return launch(join_chunks, {.blocks = blocks_for(args.kept)}, stream, args, outputs);
}

}  // namespace arignote::device
