// The moves are sorted by where they go to, those of one place in the order of their positions.
// Each element of a place then has one thread, which adds what comes to it one after the other as
// the CPU does, or writes the last.
#include "kernels/put.hpp"

#include <utility>

#include "kernels/copy.cuh"
#include "kernels/elements.cuh"
#include "kernels/indices.cuh"

namespace arignote::device {
namespace {

// Rows that a thread reads before it adds them: so many are on their way from memory together.
constexpr int kAtOnce = 8;

// Each block sorts its own: a thread finds the place of its move by counting those before it.
ARN_KERNEL list_moves(PutArgs p) {
  ARN_SHARED(std::int64_t, places, kBlockThreads);
  if (p.row.fault->step >= 0) return;
  const std::int64_t position = element_of_thread();
  const int own = thread_index();
  const std::int64_t start = position - own;
  const bool is_one = position < p.index.count;
  const std::int64_t to = is_one ? offset_at(p.index, position) : 0;
  places[own] = to;
  sync_threads();
  if (!is_one) return;
  std::int64_t rank = 0;
  for (int other = 0; other < block_threads() && start + other < p.index.count; ++other) {
    rank += places[other] < to || (places[other] == to && other < own) ? 1 : 0;
  }
  p.moves[start + rank] = {to, offset_along(p.index.ndim, p.index.shape, p.v_strides, position)};
}

struct Runs {
  const Move* sorted;
  Move* merged;
  std::int64_t count;
  std::int64_t length;  // of each run
};

// Makes one run of two: a thread finds the place of its move by seeking it in the run beside its
// own. Of equal ones, those of the left run come first.
ARN_KERNEL merge_runs(Runs r, const Fault* fault) {
  const std::int64_t number = element_of_thread();
  if (number >= r.count || fault->step >= 0) return;
  const Move move = r.sorted[number];
  const std::int64_t own = number - number % r.length;
  const bool is_left = own / r.length % 2 == 0;
  const auto bounded = [&](std::int64_t at) { return at < r.count ? at : r.count; };
  const std::int64_t other = is_left ? bounded(own + r.length) : own - r.length;
  std::int64_t low = other;
  std::int64_t high = is_left ? bounded(other + r.length) : own;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const std::int64_t to = r.sorted[middle].to;
    if (to < move.to || (to == move.to && !is_left)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  r.merged[number + (low - other) - (is_left ? 0 : r.length)] = move;
}

// The sorted moves of a row each.
struct Rows {
  CopyArgs row;
  const Move* moves;
  std::int64_t count;

  ARN_DEVICE bool go_together(std::int64_t a, std::int64_t b) const {
    return a >= 0 && b < count && moves[a].to == moves[b].to;
  }
};

template <class Item>
ARN_KERNEL set_rows(Rows r) {
  const std::int64_t element = element_of_thread();
  if (element >= r.count * r.row.count || r.row.fault->step >= 0) return;
  const std::int64_t number = element / r.row.count;
  if (r.go_together(number, number + 1)) return;
  const CopyOffsets at(r.row, element - number * r.row.count);
  const Move move = r.moves[number];
  *reinterpret_cast<Item*>(r.row.to + move.to + at.to) =
      *reinterpret_cast<const Item*>(r.row.from + move.from + at.from);
}

template <DType kType>
ARN_KERNEL add_rows(Rows r) {
  const std::int64_t element = element_of_thread();
  if (element >= r.count * r.row.count || r.row.fault->step >= 0) return;
  std::int64_t number = element / r.row.count;
  if (r.go_together(number - 1, number)) return;
  const CopyOffsets at(r.row, element - number * r.row.count);
  std::byte* const to = r.row.to + r.moves[number].to + at.to;
  const std::byte* const from = r.row.from + at.from;
  const std::int64_t first = number;
  Bits sum = load_bits(kType, to);
  // All between two that go to one place go there, too.
  for (; r.go_together(first, number + kAtOnce - 1); number += kAtOnce) {
    Bits rows[kAtOnce];
    ARN_UNROLL
    for (int i = 0; i < kAtOnce; ++i) rows[i] = load_bits(kType, from + r.moves[number + i].from);
    ARN_UNROLL
    for (int i = 0; i < kAtOnce; ++i) sum = add_bits(kType, sum, rows[i]);
  }
  for (; r.go_together(first, number); ++number) {
    sum = add_bits(kType, sum, load_bits(kType, from + r.moves[number].from));
  }
  store_bits(kType, sum, to);
}

int launch_add_rows(const Rows& rows, DType dtype, Stream stream) {
  const auto run = [&](void (*kernel)(Rows)) {
    return launch(kernel, grid_for(rows.count * rows.row.count), stream, rows);
  };
  // The sum of integers wraps, whether or not they have a sign.
  switch (dtype) {
    case DType::kBool: return run(add_rows<DType::kBool>);
    case DType::kInt8:
    case DType::kUInt8: return run(add_rows<DType::kUInt8>);
    case DType::kInt16:
    case DType::kUInt16: return run(add_rows<DType::kUInt16>);
    case DType::kInt32:
    case DType::kUInt32: return run(add_rows<DType::kUInt32>);
    case DType::kFloat16: return run(add_rows<DType::kFloat16>);
    case DType::kBFloat16: return run(add_rows<DType::kBFloat16>);
    case DType::kFloat32: return run(add_rows<DType::kFloat32>);
    case DType::kFloat64: return run(add_rows<DType::kFloat64>);
    default: return run(add_rows<DType::kUInt64>);
  }
}

}  // namespace

int launch_put(const PutArgs& args, Stream stream) {
  const std::int64_t count = args.index.count;
  if (count * args.row.count == 0) return 0;
  Grid grid = grid_for(count);
  grid.has_barriers = true;
  int error = launch(list_moves, grid, stream, args);
  Move* sorted = args.moves;
  Move* spare = args.moves + count;
  for (std::int64_t length = kBlockThreads; length < count && error == 0; length *= 2) {
    error = launch(merge_runs, grid_for(count), stream, Runs{sorted, spare, count, length},
                   args.row.fault);
    std::swap(sorted, spare);
  }
  if (error != 0) return error;
  const Rows rows{args.row, sorted, count};
  if (args.adds) return launch_add_rows(rows, args.dtype, stream);
  return visit_item(size_of(args.dtype), [&]<class Item>(std::type_identity<Item>) {
    return launch(set_rows<Item>, grid_for(count * args.row.count), stream, rows);
  });
}

}  // namespace arignote::device
