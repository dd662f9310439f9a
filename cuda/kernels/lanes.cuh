// Neighbouring threads that share the work on a row or on a result: its lanes.
#pragma once

#include "kernels/lanes.hpp"

namespace arignote::device {

// Where a thread is.
struct Lane {
  std::int64_t row;
  int lane;
  int lanes;
};

ARN_DEVICE Lane lane_of_thread(int lanes) {
  return {block_index() * (kBlockThreads / lanes) + thread_index() / lanes, thread_index() % lanes,
          lanes};
}

// join(mine, other) for threads of the same row, as a tree: shared memory of the block's is joined
// into that of the row's first thread, whose number this returns. All threads of the block call it,
// and have written what is theirs.
template <class Join>
ARN_DEVICE int join_lanes(const Lane& at, Join&& join) {
  for (int half = at.lanes / 2; half > 0; half /= 2) {
    sync_threads();
    if (at.lane < half) join(thread_index(), thread_index() + half);
  }
  if (at.lanes > 1) sync_threads();
  return thread_index() - at.lane;
}

}  // namespace arignote::device
