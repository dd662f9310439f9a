#include "kernels/argmax.hpp"

#include <type_traits>

#include "kernels/axes.cuh"
#include "kernels/lanes.cuh"

namespace arignote::device {
namespace {

template <class T>
struct Best {
  T value;
  std::int64_t index;
};

// A NaN is the extreme.
template <class T>
ARN_DEVICE bool beats(T value, T best, bool is_minimum) {
  if (is_minimum ? value < best : value > best) return true;
  if constexpr (std::is_floating_point_v<T>) return value != value && best == best;
  return false;
}

// The first of equals.
template <class T>
ARN_DEVICE Best<T> better(const Best<T>& a, const Best<T>& b, bool is_minimum) {
  if (beats(b.value, a.value, is_minimum)) return b;
  return b.index < a.index && !beats(a.value, b.value, is_minimum) ? b : a;
}

template <class T>
ARN_KERNEL find_extremes(ArgmaxArgs r) {
  ARN_SHARED(Best<T>, shared, kBlockThreads);
  if (r.fault->step >= 0) return;
  const Lane at = lane_of_thread(r.lanes);
  if (at.row < r.results) {
    const std::byte* const x = r.x + offset_along(r.kept, at.row);
    const auto element = [&](std::int64_t index) {
      return Best<T>{*reinterpret_cast<const T*>(x + offset_along(r.reduced, index)), index};
    };
    Best<T> best = element(at.lane);
    for (std::int64_t i = at.lane + at.lanes; i < r.length; i += at.lanes) {
      best = better(best, element(i), r.is_minimum);
    }
    shared[thread_index()] = best;
  }
  const int first =
      join_lanes(at, [&](int a, int b) { shared[a] = better(shared[a], shared[b], r.is_minimum); });
  if (at.row < r.results && at.lane == 0) r.out[at.row] = shared[first].index;
}

}  // namespace

int launch_argmax(const ArgmaxArgs& args, Stream stream) {
  if (args.results == 0) return 0;
  const Grid grid = grid_for(args.results, args.lanes);
  switch (args.dtype) {
    case DType::kInt8: return launch(find_extremes<std::int8_t>, grid, stream, args);
    case DType::kInt16: return launch(find_extremes<std::int16_t>, grid, stream, args);
    case DType::kInt32: return launch(find_extremes<std::int32_t>, grid, stream, args);
    case DType::kInt64: return launch(find_extremes<std::int64_t>, grid, stream, args);
    case DType::kUInt16: return launch(find_extremes<std::uint16_t>, grid, stream, args);
    case DType::kUInt32: return launch(find_extremes<std::uint32_t>, grid, stream, args);
    case DType::kUInt64: return launch(find_extremes<std::uint64_t>, grid, stream, args);
    case DType::kFloat32: return launch(find_extremes<float>, grid, stream, args);
    case DType::kFloat64: return launch(find_extremes<double>, grid, stream, args);
    default: return launch(find_extremes<std::uint8_t>, grid, stream, args);  // and bool
  }
}

}  // namespace arignote::device
