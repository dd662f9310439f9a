// The interpreter of elementwise programs, and what joins the partial results of reductions.
#include "kernels/interpreter.cuh"
#include "kernels/lanes.cuh"

namespace arignote::device {
namespace {

// Partial results that are on their way from memory together.
constexpr int kAtOnce = 8;

template <int kSlotCount>
struct Interpreter {
  using Index = std::int64_t;
  static constexpr int kCount = 1;
  static constexpr int kUnrolled = 1;
  static constexpr int kMostAxes = kMaxDims;
  static constexpr int kSlots = kSlotCount;
  static constexpr int kMostReduced = kMostReductions;

  ARN_DEVICE static int ndim(const ProgramArgs& p) { return p.ndim; }
  ARN_DEVICE static int border(const ProgramArgs& p) { return p.border; }

  ARN_DEVICE static void evaluate(const ProgramArgs& p, const Place<Interpreter>& place, int,
                                  Bits (&slots)[kSlots]) {
    interpret(p, place, slots);
  }

  ARN_DEVICE static int n_reduced(const ReductionArgs& r) { return r.n_outputs; }
  ARN_DEVICE static ReducedValue reduced(const ReducedOutputs& outputs, int i) {
    return outputs.items[i].value;
  }
};

template <int kSlots>
ARN_KERNEL run_elementwise(ARN_ARGUMENT(ProgramArgs, p)) {
  evaluate_all<Interpreter<kSlots>>(p);
}

template <int kSlots>
ARN_KERNEL reduce_rows(ARN_ARGUMENT(ReductionArgs, r), ARN_ARGUMENT(ReducedOutputs, outputs)) {
  reduce_by_rows<Interpreter<kSlots>>(r, outputs);
}

template <int kSlots>
ARN_KERNEL reduce_columns(ARN_ARGUMENT(ReductionArgs, r), ARN_ARGUMENT(ReducedOutputs, outputs)) {
  reduce_by_columns<Interpreter<kSlots>>(r, outputs);
}

ARN_DEVICE void finish(const ReducedOutput& output, std::int64_t result, Bits bits) {
  const DType from = reduced_dtype(output.value);
  store_bits(output.to, cast(bits, from, output.to), output.out + result * item_bytes(output.to));
}

// Of every chunk of a lane's.
ARN_DEVICE Bits join_own(const ReductionArgs& r, int output, const ReducedValue& value,
                         const Lane& at) {
  Bits sum = neutral(value);
  for (std::int64_t first = at.lane; first < r.chunks; first += kAtOnce * at.lanes) {
    Bits parts[kAtOnce];
    ARN_UNROLL
    for (int k = 0; k < kAtOnce; ++k) {
      const std::int64_t chunk = first + k * at.lanes;
      parts[k] = chunk < r.chunks ? *partial_of(r, output, chunk, at.row) : neutral(value);
    }
    ARN_UNROLL
    for (int k = 0; k < kAtOnce; ++k) sum = join(value, sum, parts[k]);
  }
  return sum;
}

ARN_KERNEL join_chunks(ARN_ARGUMENT(ReductionArgs, r), ARN_ARGUMENT(ReducedOutputs, outputs),
                       int lanes) {
  ARN_SHARED(Bits, shared, kBlockThreads);
  if (has_failed(r.program.fault)) return;
  const Lane at = lane_of_thread(lanes);
  const bool is_result = at.row < r.kept;
  for (int i = 0; i < r.n_outputs; ++i) {
    const ReducedValue value = outputs.items[i].value;
    if (is_result) shared[thread_index()] = join_own(r, i, value, at);
    const int first =
        join_lanes(at, [&](int a, int b) { shared[a] = join(value, shared[a], shared[b]); });
    if (is_result && at.lane == 0) finish(outputs.items[i], at.row, shared[first]);
    if (lanes > 1) sync_threads();
  }
}

template <int kSlots>
int launch_reduction_with(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream) {
  const Grid grid = grid_of(args);
  return args.is_by_rows ? launch(reduce_rows<kSlots>, grid, stream, args, outputs)
                         : launch(reduce_columns<kSlots>, grid, stream, args, outputs);
}

}  // namespace

int launch_elementwise(const ProgramArgs& args, Stream stream) {
  if (args.count == 0) return 0;
  const Grid grid = grid_of(args, 1);
  if (args.n_slots <= 8) return launch(run_elementwise<8>, grid, stream, args);
  if (args.n_slots <= 32) return launch(run_elementwise<32>, grid, stream, args);
  return launch(run_elementwise<kMostSlots>, grid, stream, args);
}

int launch_reduction(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream) {
  if (args.kept == 0) return 0;
  const int slots = args.program.n_slots;
  if (slots <= 8) return launch_reduction_with<8>(args, outputs, stream);
  if (slots <= 32) return launch_reduction_with<32>(args, outputs, stream);
  return launch_reduction_with<kMostSlots>(args, outputs, stream);
}

int launch_join(const ReductionArgs& args, const ReducedOutputs& outputs, Stream stream) {
  if (args.kept == 0) return 0;
  const int lanes = lanes_for(args.chunks, args.kept);
  return launch(join_chunks, grid_for(args.kept, lanes), stream, args, outputs, lanes);
}

}  // namespace arignote::device
