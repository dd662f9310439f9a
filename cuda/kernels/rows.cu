#include "kernels/rows.hpp"

#include <cmath>
#include <limits>

#include "kernels/half.cuh"
#include "kernels/indices.cuh"
#include "kernels/lanes.cuh"
#include "kernels/row_likelihood.cuh"

namespace arignote::device {
namespace {

// Numbers T that lie in memory as Items.
template <class T, class Item = T>
ARN_DEVICE T load(const std::byte* at) {
  return static_cast<T>(*reinterpret_cast<const Item*>(at));
}

template <class Item, class T>
ARN_DEVICE void store(std::byte* at, T value) {
  *reinterpret_cast<Item*>(at) = static_cast<Item>(value);
}

// One row, and what of it is known.
struct Row {
  const std::byte* x;
  std::byte* out;
  double max;
  double sum;  // of exp(x - max)
  std::int64_t label;  // -1: none
  double weight;
};

template <class T>
ARN_DEVICE Row row_at(const RowsArgs& r, const RowLabels& l, std::int64_t number) {
  Row row{r.x, r.out, 0.0, 0.0, -1, 1.0};
  std::int64_t rest = number;
  for (int axis = r.ndim - 1; axis >= 0; --axis) {
    const std::int64_t above = axis > 0 ? rest / r.shape[axis] : 0;
    const std::int64_t index = rest - above * r.shape[axis];
    rest = above;
    row.x += index * r.x_strides[axis];
    row.out += index * r.out_strides[axis];
  }
  if (number < l.index.count) {
    row.label = static_cast<std::int64_t>(place_at(l.index, 0, number));
  }
  if (row.label >= 0 && r.work == RowWork::kNllGradient) {
    row.weight = load<T>(l.weights + number * l.weight_stride);
  }
  return row;
}

template <class T, class Item>
ARN_DEVICE double max_of(const RowsArgs& r, const Row& row, const Lane& at) {
  T max = -std::numeric_limits<T>::infinity();
  for (std::int64_t i = at.lane; i < r.length; i += at.lanes) {
    const T x = load<T, Item>(row.x + i * r.x_step);
    max = x > max ? x : max;
  }
  return max;
}

// A NaN passes through the exponential, whether or not the maximum has noticed it.
template <class T, class Item>
ARN_DEVICE double sum_of(const RowsArgs& r, const Row& row, const Lane& at) {
  double sum = 0.0;
  for (std::int64_t i = at.lane; i < r.length; i += at.lanes) {
    sum += static_cast<double>(exponential(load<T, Item>(row.x + i * r.x_step), row.max));
  }
  return sum;
}

template <class T, class Item>
ARN_DEVICE void write(const RowsArgs& r, const Row& row, const Lane& at) {
  const double log_sum = r.work == RowWork::kLogSoftmax ? std::log(row.sum) : 0.0;
  const T factor = static_cast<T>(row.weight / row.sum);
  const bool is_zero = r.work == RowWork::kNllGradient && row.label < 0;
  for (std::int64_t i = at.lane; i < r.length; i += at.lanes) {
    std::byte* const out = row.out + i * r.out_step;
    const T x = load<T, Item>(row.x + i * r.x_step);
    if (is_zero) {
      store<Item>(out, T{0});
    } else if (r.work == RowWork::kLogSoftmax) {
      store<Item>(out, log_share(x, row.max, log_sum));
    } else {
      const T share = exponential(x, row.max) * factor;
      store<Item>(out, i == row.label ? share - static_cast<T>(row.weight) : share);
    }
  }
}

template <class T, class Item>
ARN_KERNEL work_on_rows(RowsArgs r, RowLabels l, int lanes) {
  ARN_SHARED(double, shared, kBlockThreads);
  if (r.fault->step >= 0) return;
  const Lane at = lane_of_thread(lanes);
  const bool is_row = at.row < r.rows;
  const int own = thread_index();
  Row row{};
  if (is_row) {
    row = row_at<T>(r, l, at.row);
    shared[own] = max_of<T, Item>(r, row, at);
  }
  row.max = shared[join_lanes(
      at, [&](int a, int b) { shared[a] = shared[b] > shared[a] ? shared[b] : shared[a]; })];
  if (lanes > 1) sync_threads();
  // Before anybody writes over it.
  const bool has_loss = is_row && l.losses != nullptr && row.label >= 0 && at.lane == 0;
  const T score = has_loss ? load<T, Item>(row.x + row.label * r.x_step) : T{0};
  if (is_row) shared[own] = sum_of<T, Item>(r, row, at);
  row.sum = shared[join_lanes(at, [&](int a, int b) { shared[a] += shared[b]; })];
  if (has_loss) {
    store<T>(l.losses + at.row * static_cast<std::int64_t>(sizeof(T)),
             loss_of(score, row.max, row.sum));
  }
  if (is_row && r.work != RowWork::kNll) write<T, Item>(r, row, at);
}

}  // namespace

int launch_rows(const RowsArgs& args, const RowLabels& labels, Stream stream) {
  if (args.rows == 0) return 0;
  const int lanes = lanes_for(args.length, args.rows);
  const Grid grid = grid_for(args.rows, lanes);
  const auto run = [&](auto kernel) { return launch(kernel, grid, stream, args, labels, lanes); };
  switch (args.dtype) {
    case DType::kFloat16: return run(work_on_rows<float, Float16>);
    case DType::kBFloat16: return run(work_on_rows<float, BFloat16>);
    case DType::kFloat32: return run(work_on_rows<float, float>);
    default: return run(work_on_rows<double, double>);
  }
}

}  // namespace arignote::device
