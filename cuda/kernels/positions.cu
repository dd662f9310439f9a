#include "kernels/positions.cuh"

namespace arignote::device {
namespace {

// So many for each thread: a block is enough for most vectors, and ends what it has begun.
constexpr std::int64_t kRun = 16;

ARN_DEVICE void settle(const Positions& p, Fault* fault, std::int32_t step) {
  if (fault->position == kNowhere || fault->step >= 0) return;
  fault->value = value_at(p, fault->position);
  fault->length = p.length;
  fault->is_unsigned = p.dtype >= DType::kUInt8 ? 1 : 0;
  fault->step = step;
}

ARN_KERNEL seek_fault(Positions p, Fault* fault, std::int32_t step) {
  if (fault->step >= 0) return;
  const std::int64_t threads = block_count() * block_threads();
  for (std::int64_t i = block_index() * block_threads() + thread_index(); i < p.count;
       i += threads) {
    const std::int64_t position = position_at(p, i);
    if (position < 0 || position >= p.length) {
      atomic_min(&fault->position, i);
      break;
    }
  }
  if (block_count() > 1) return;
  sync_threads();
  if (thread_index() == 0) settle(p, fault, step);
}

ARN_KERNEL settle_fault(Positions p, Fault* fault, std::int32_t step) { settle(p, fault, step); }

}  // namespace

int launch_check_positions(const Positions& positions, Fault* fault, std::int32_t step,
                           Stream stream) {
  if (positions.count == 0) return 0;
  constexpr std::int64_t kBlockRun = kBlockThreads * kRun;
  const std::int64_t blocks = (positions.count + kBlockRun - 1) / kBlockRun;
  const int error = launch(seek_fault, {.blocks = blocks, .has_barriers = blocks == 1}, stream,
                           positions, fault, step);
  if (error != 0 || blocks == 1) return error;
  return launch(settle_fault, {.threads = 1}, stream, positions, fault, step);
}

}  // namespace arignote::device
