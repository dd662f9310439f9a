// A body's steps on one tile of rows after another: each block has a chunk of the rows, reads them
// once, and leaves partial sums, which a second kernel joins in order. Which rows a chunk has, and
// in which order sums are added up, follows from shapes alone; how many rows a tile has does not
// matter.
#include "kernels/row_block.hpp"

#include "kernels/interpreter.cuh"
#include "kernels/row_products.cuh"
#include "kernels/row_steps.cuh"

namespace arignote::device {
namespace {

// Partial sums of a result are joined by so many threads.
constexpr int kJoiners = 8;
constexpr int kResults = kBlockThreads / kJoiners;

template <class T>
ARN_DEVICE void run_step(RowTile& tile, const RowStep& s) {
  using Kind = RowStep::Kind;
  switch (s.kind) {
    case Kind::kProduct:
    case Kind::kOuter: return run_product<T>(tile, s);
    case Kind::kElements: return run_program(tile, s);
    case Kind::kArgmax:
    case Kind::kArgmin: return find_extremes(tile, s);
    case Kind::kPick: return pick_elements(tile, s);
    case Kind::kPlace:
    case Kind::kPlaceMore: return place_elements(tile, s);
    default: return Likelihood<T>(tile, s).run();
  }
}

// --- sums

ARN_DEVICE std::byte* partial_of(const RowBlockArgs& a, std::int64_t chunk) {
  return a.partial + chunk * a.partial_step;
}

template <class T>
ARN_DEVICE T sum_of_lanes(const T* sums, const RowSum& s, int result) {
  T total = sums[result];
  for (int lane = 1; lane < s.lanes; ++lane) total = total + sums[lane * s.count + result];
  return total;
}

ARN_DEVICE Bits sum_of_lanes_in_bits(const Bits* sums, const RowSum& s, int result) {
  Bits total = sums[result];
  for (int lane = 1; lane < s.lanes; ++lane) {
    total = join(s.value, total, sums[lane * s.count + result]);
  }
  return total;
}

// Adds what a run of rows has come to, to what those before it have.
template <class T>
ARN_DEVICE void end_run(const RowTile& tile, bool is_first) {
  const RowBlockArgs& a = tile.args();
  for (int number = 0; number < a.n_sums; ++number) {
    const RowSum s = a.sums[number];
    std::byte* const partial = partial_of(a, block_index()) + s.partial;
    for (int i = thread_index(); i < s.count; i += block_threads()) {
      if (s.is_of_products) {
        T& total = reinterpret_cast<T*>(partial)[i];
        const T sum = sum_of_lanes(tile.held<T>(s.held), s, i);
        total = is_first ? sum : total + sum;
      } else {
        Bits& total = reinterpret_cast<Bits*>(partial)[i];
        const Bits sum = sum_of_lanes_in_bits(tile.held<Bits>(s.held), s, i);
        total = is_first ? sum : join(s.value, total, sum);
      }
    }
  }
}

// All bits of a sum of no rows are zero.
ARN_DEVICE void clear_sums(const RowTile& tile) {
  const RowBlockArgs& a = tile.args();
  for (int i = thread_index(); i < a.held_bytes / 8; i += block_threads()) {
    tile.held<Bits>(a.held)[i] = 0;
  }
}

// The first of those that the threads hand in, for the first of them. `shared` has room for one of
// each thread.
ARN_DEVICE RowFault first_of_block(const RowFault& own, RowFault* shared) {
  if (!any_of_block(own.row != kNowhere)) return own;
  RowFault& first = shared[thread_index()];
  first = own;
  for (int half = kBlockThreads / 2; half > 0; half /= 2) {
    sync_threads();
    if (thread_index() < half && is_before(shared[thread_index() + half], first)) {
      first = shared[thread_index() + half];
    }
  }
  return first;
}

ARN_DEVICE RowFault* fault_of(const RowBlockArgs& a, std::int64_t chunk) {
  return reinterpret_cast<RowFault*>(partial_of(a, chunk + 1) - sizeof(RowFault));
}

// The memory of the first stage is free by now.
ARN_DEVICE void leave_fault(const RowTile& tile) {
  auto* const shared = reinterpret_cast<RowFault*>(tile.stage(0));
  const RowFault first = first_of_block(tile.fault(), shared);
  if (thread_index() == 0) *fault_of(tile.args(), block_index()) = first;
}

// Each step would wait for its lines of them.
ARN_DEVICE void read_tables_ahead(const RowBlockArgs& a) {
  constexpr int kLine = 128;
  for (int at = thread_index() * kLine; at < a.table_bytes; at += block_threads() * kLine) {
    read_ahead(a.tables + at);
  }
}

// With registers for what a thread multiplies at a time.
template <class T>
ARN_KERNEL_SHARING(sizeof(T) == 8 ? 1 : 2)
run_rows(ARN_ARGUMENT(RowBlockArgs, a)) {
  if (a.fault->step >= 0) return;
  RowTile tile(a);
  read_tables_ahead(a);
  for (int i = 0; i < a.n_factors; ++i) hold_factor<T>(tile, a.factors[i]);
  clear_sums(tile);
  std::int64_t runs = 0;
  for (std::int64_t next = tile.begin(); next - a.tile < tile.end(); next += a.tile) {
    if (next < tile.end()) bring_rows(tile, next);
    end_copies();
    const std::int64_t first = next - a.tile;
    if (first < tile.begin()) continue;
    wait_for_copies<1>();
    sync_threads();
    tile.move_to(first);
    for (int i = 0; i < a.n_steps; ++i) {
      const RowStep step = a.steps[i];
      run_step<T>(tile, step);
      sync_threads();
    }
    if ((next - tile.begin()) % kRowRun != 0 && next < tile.end()) continue;
    end_run<T>(tile, runs++ == 0);
    sync_threads();
    clear_sums(tile);
  }
  if (a.may_fail) leave_fault(tile);
}

// --- the second kernel

ARN_DEVICE int sum_with(const RowBlockArgs& a, std::int64_t result) {
  int number = a.n_sums - 1;
  while (a.sums[number].first > result) --number;
  return number;
}

// Of every eighth chunk, from one on.
template <class T>
ARN_DEVICE Bits join_products(const RowBlockArgs& a, const RowSum& s, std::int64_t i,
                              std::int64_t chunk) {
  T total = 0;
  for (; chunk < a.chunks; chunk += kJoiners) {
    total = total + reinterpret_cast<const T*>(partial_of(a, chunk) + s.partial)[i];
  }
  return bits_of(total);
}

ARN_DEVICE Bits join_reduced(const RowBlockArgs& a, const RowSum& s, std::int64_t i,
                             std::int64_t chunk) {
  Bits total = neutral(s.value);
  for (; chunk < a.chunks; chunk += kJoiners) {
    total =
        join(s.value, total, reinterpret_cast<const Bits*>(partial_of(a, chunk) + s.partial)[i]);
  }
  return total;
}

template <class T>
ARN_DEVICE Bits join_two(const RowSum& s, Bits x, Bits y) {
  return s.is_of_products ? bits_of(value_of<T>(x) + value_of<T>(y)) : join(s.value, x, y);
}

// Returns the number of the element.
ARN_DEVICE std::int64_t store_result(const RowBlockArgs& a, const RowSum& s, std::int64_t i,
                                     Bits bits) {
  const std::int64_t offset = i % s.lines * s.line_step + i / s.lines * s.column_step;
  const DType from = s.is_of_products ? a.dtype : reduced_dtype(s.value);
  store_bits(s.to, cast(bits, from, s.to), a.pointers[s.pointer] + offset);
  return offset / item_bytes(s.to);
}

// Of the chunks that a thread looks at.
ARN_DEVICE RowFault first_of_thread(const RowBlockArgs& a) {
  RowFault own = no_fault();
  if (!a.may_fail) return own;
  for (std::int64_t chunk = thread_index(); chunk < a.chunks; chunk += kBlockThreads) {
    const RowFault& found = *fault_of(a, chunk);
    if (is_before(found, own)) own = found;
  }
  return own;
}

// Takes the fault of the session if no step before has.
ARN_DEVICE void settle_fault(const RowBlockArgs& a, const RowFault& own) {
  ARN_SHARED(RowFault, shared, kBlockThreads);
  const RowFault first = first_of_block(own, shared);
  if (thread_index() != 0 || first.row == kNowhere) return;
  *a.fault = {.position = first.row,
              .value = first.value,
              .length = first.length,
              .kind = first.is_signed ? FaultKind::kIndex : FaultKind::kUnsignedIndex,
              .part = first.part,
              .before = 0,
              .step = a.origin.step};
}

// The last block only looks for faults, while the others join. These see by themselves whether
// there is one among the chunks: nothing may be updated then, and whether they also see what the
// last block leaves does not matter.
template <class T>
ARN_KERNEL join_rows(ARN_ARGUMENT(RowBlockArgs, a), ARN_ARGUMENT(RowFinish, finish)) {
  ARN_SHARED(Bits, shared, kBlockThreads);
  if (any_of_block(a.fault->step >= 0)) return;
  const RowFault own_fault = first_of_thread(a);
  if (a.may_fail && block_index() == block_count() - 1) return settle_fault(a, own_fault);
  if (any_of_block(own_fault.row != kNowhere)) return;
  const std::int64_t result = block_index() * kResults + thread_index() % kResults;
  const int joiner = thread_index() / kResults;
  const bool is_result = result < a.n_results;
  if (is_result) {
    const RowSum& s = a.sums[sum_with(a, result)];
    shared[thread_index()] = s.is_of_products ? join_products<T>(a, s, result - s.first, joiner)
                                              : join_reduced(a, s, result - s.first, joiner);
  }
  for (int half = kJoiners / 2; half > 0; half /= 2) {
    sync_threads();
    if (!is_result || joiner >= half) continue;
    Bits& own = shared[thread_index()];
    own = join_two<T>(a.sums[sum_with(a, result)], own, shared[thread_index() + half * kResults]);
  }
  if (!is_result || joiner != 0) return;
  const int number = sum_with(a, result);
  const RowSum& s = a.sums[number];
  const std::int64_t element = store_result(a, s, result - s.first, shared[thread_index()]);
  for (int i = 0; i < finish.programs.count; ++i) {
    if (finish.sums[i] == number) interpret_element(finish.programs.items[i], element);
  }
}

template <class T>
int launch_rows_of(const RowBlockArgs& args, const RowFinish& finish, Stream stream) {
  const int error = launch(run_rows<T>,
                           {.blocks = args.chunks,
                            .has_barriers = true,
                            .shared_bytes = static_cast<std::size_t>(args.shared_bytes)},
                           stream, args);
  const std::int64_t blocks = (args.n_results + kResults - 1) / kResults + (args.may_fail ? 1 : 0);
  if (error != 0 || blocks == 0) return error;
  return launch(join_rows<T>, {.blocks = blocks, .has_barriers = true}, stream, args, finish);
}

}  // namespace

int launch_row_block(const RowBlockArgs& args, const RowFinish& finish, Stream stream) {
  return args.dtype == DType::kFloat32 ? launch_rows_of<float>(args, finish, stream)
                                       : launch_rows_of<double>(args, finish, stream);
}

}  // namespace arignote::device
