#include "kernels/indices.cuh"

namespace arignote::device {
namespace {

// So many for each thread: a block is enough for most arrays, and ends what it has begun.
constexpr std::int64_t kRun = 16;

// The first array whose index there is out of range; index.arrays if there is none.
ARN_DEVICE int outside_at(const IndexArgs& index, std::int64_t position) {
  int array = 0;
  while (array < index.arrays &&
         place_at(index, array, position) < static_cast<Bits>(index.lengths[array])) {
    ++array;
  }
  return array;
}

ARN_DEVICE void settle(const IndexArgs& index, Fault* fault, Origin origin) {
  if (fault->position == kNowhere || fault->step >= 0) return;
  const int array = outside_at(index, fault->position);
  fault->value = value_of<std::int64_t>(index_at(index, array, fault->position));
  fault->length = index.lengths[array];
  fault->kind = is_signed(index.dtypes[array]) ? FaultKind::kIndex : FaultKind::kUnsignedIndex;
  fault->part = origin.part;
  fault->before = origin.before;
  fault->step = origin.step;
}

ARN_KERNEL seek_fault(IndexArgs index, Fault* fault, Origin origin) {
  if (fault->step >= 0) return;
  const std::int64_t threads = block_count() * block_threads();
  for (std::int64_t position = block_index() * block_threads() + thread_index();
       position < index.count; position += threads) {
    if (outside_at(index, position) < index.arrays) {
      atomic_min(&fault->position, position);
      break;
    }
  }
  if (block_count() > 1) return;
  sync_threads();
  if (thread_index() == 0) settle(index, fault, origin);
}

ARN_KERNEL settle_fault(IndexArgs index, Fault* fault, Origin origin) {
  settle(index, fault, origin);
}

}  // namespace

int launch_check(const IndexArgs& index, const Origin& origin, Fault* fault, Stream stream) {
  if (index.count == 0) return 0;
  constexpr std::int64_t kBlockRun = kBlockThreads * kRun;
  const std::int64_t blocks = (index.count + kBlockRun - 1) / kBlockRun;
  const int error = launch(seek_fault, {.blocks = blocks, .has_barriers = blocks == 1}, stream,
                           index, fault, origin);
  if (error != 0 || blocks == 1) return error;
  return launch(settle_fault, {.threads = 1}, stream, index, fault, origin);
}

}  // namespace arignote::device
