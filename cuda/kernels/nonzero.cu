// Each block counts what it has, one makes of the counts where the coordinates of each block start,
// and then they are written.
#include "kernels/nonzero.hpp"

#include "kernels/axes.cuh"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {
namespace {

// Elements that follow each other are a thread's.
constexpr std::int64_t kRun = 16;

// Calls visit(number) for those of the thread's elements that are not zero, in order.
template <class Visit>
ARN_DEVICE void visit_own(const NonzeroArgs& n, Visit&& visit) {
  const std::int64_t first = (block_index() * block_threads() + thread_index()) * kRun;
  for (std::int64_t number = first; number < first + kRun && number < n.count; ++number) {
    const Bits bits = load_bits(n.dtype, n.x + offset_along(n.walk, number));
    if (cast(bits, n.dtype, DType::kBool) != 0) visit(number);
  }
}

ARN_DEVICE std::int64_t count_own(const NonzeroArgs& n) {
  std::int64_t count = 0;
  visit_own(n, [&](std::int64_t) { ++count; });
  return count;
}

struct Sums {
  std::int64_t before;  // of what the threads before this one have
  std::int64_t total;
};

// All threads of the block call it, which are kBlockThreads.
ARN_DEVICE Sums sum_up(std::int64_t own) {
  ARN_SHARED(std::int64_t, sums, kBlockThreads);
  const int thread = thread_index();
  sums[thread] = own;
  sync_threads();
  for (int by = 1; by < kBlockThreads; by *= 2) {
    const std::int64_t more = thread >= by ? sums[thread - by] : 0;
    sync_threads();
    sums[thread] += more;
    sync_threads();
  }
  return {sums[thread] - own, sums[kBlockThreads - 1]};
}

ARN_KERNEL count_nonzero(NonzeroArgs n) {
  if (n.fault->step >= 0) return;
  const Sums sums = sum_up(count_own(n));
  if (thread_index() == 0) n.starts[block_index()] = sums.total;
}

// One block.
ARN_KERNEL find_starts(NonzeroArgs n, std::int64_t blocks, int step) {
  if (n.fault->step >= 0) return;
  const std::int64_t run = (blocks + kBlockThreads - 1) / kBlockThreads;
  const std::int64_t first = thread_index() * run;
  const auto visit_run = [&](auto&& visit) {
    for (std::int64_t block = first; block < first + run && block < blocks; ++block) visit(block);
  };
  std::int64_t own = 0;
  visit_run([&](std::int64_t block) { own += n.starts[block]; });
  const Sums sums = sum_up(own);
  std::int64_t start = sums.before;
  visit_run([&](std::int64_t block) {
    const std::int64_t count = n.starts[block];
    n.starts[block] = start;
    start += count;
  });
  if (thread_index() > 0 || sums.total == n.length) return;
  n.fault->kind = FaultKind::kNonzeroCount;
  n.fault->step = step;
}

ARN_KERNEL write_nonzero(NonzeroArgs n) {
  if (n.fault->step >= 0) return;
  std::int64_t slot = n.starts[block_index()] + sum_up(count_own(n)).before;
  visit_own(n, [&](std::int64_t number) {
    std::int64_t rest = number;
    for (int axis = n.ndim - 1; axis >= 0; --axis) {
      const std::int64_t above = rest / n.shape[axis];
      n.outputs[axis][slot] = rest - above * n.shape[axis];
      rest = above;
    }
    ++slot;
  });
}

}  // namespace

std::int64_t nonzero_blocks(std::int64_t count) {
  constexpr std::int64_t kBlockRun = kBlockThreads * kRun;
  return (count + kBlockRun - 1) / kBlockRun;
}

int launch_nonzero(const NonzeroArgs& args, int step, Stream stream) {
  const std::int64_t blocks = nonzero_blocks(args.count);
  const Grid grid{.blocks = blocks, .has_barriers = true};
  int error = blocks > 0 ? launch(count_nonzero, grid, stream, args) : 0;
  if (error != 0) return error;
  error = launch(find_starts, {.has_barriers = true}, stream, args, blocks, step);
  if (error != 0 || args.length == 0) return error;
  return launch(write_nonzero, grid, stream, args);
}

}  // namespace arignote::device
