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
  bool has_label;
  std::int64_t label;  // a column, but for parts of x and rows without one
  double weight;
};

template <class T>
ARN_DEVICE Row row_at(const RowsArgs& r, const RowLabels& l, std::int64_t number) {
  Row row{r.x, r.out, 0.0, 0.0, number < l.index.count, -1, 1.0};
  std::int64_t rest = number;
  for (int axis = r.ndim - 1; axis >= 0; --axis) {
    const std::int64_t above = axis > 0 ? rest / r.shape[axis] : 0;
    const std::int64_t index = rest - above * r.shape[axis];
    rest = above;
    row.x += index * r.x_strides[axis];
    row.out += index * r.out_strides[axis];
  }
  if (row.has_label) row.label = static_cast<std::int64_t>(place_at(l.index, 0, number));
  if (row.has_label && r.work == RowWork::kNllGradient) {
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
  const bool is_zero = r.work == RowWork::kNllGradient && !row.has_label;
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

// Of all columns of x. Threads that have no row come along.
template <class T, class Item>
ARN_DEVICE void sum_up(const RowsArgs& r, bool is_row, const Lane& at, double* shared, Row& row) {
  double& own = shared[thread_index()];
  if (is_row) own = max_of<T, Item>(r, row, at);
  row.max = shared[join_lanes(
      at, [&](int a, int b) { shared[a] = shared[b] > shared[a] ? shared[b] : shared[a]; })];
  if (at.lanes > 1) sync_threads();
  if (is_row) own = sum_of<T, Item>(r, row, at);
  row.sum = shared[join_lanes(at, [&](int a, int b) { shared[a] += shared[b]; })];
}

template <class T>
ARN_DEVICE void store_loss(const RowLabels& l, std::int64_t number, const Row& row, T score) {
  store<T>(l.losses + number * static_cast<std::int64_t>(sizeof(T)),
           loss_of(score, row.max, row.sum));
}

template <class T, class Item>
ARN_KERNEL work_on_rows(RowsArgs r, RowLabels l, int lanes) {
  ARN_SHARED(double, shared, kBlockThreads);
  if (r.fault->step >= 0) return;
  const Lane at = lane_of_thread(lanes);
  const bool is_row = at.row < r.rows;
  Row row{};
  if (is_row) row = row_at<T>(r, l, at.row);
  // Before anybody writes over it.
  const bool has_loss = is_row && l.losses != nullptr && row.has_label && at.lane == 0;
  const T score = has_loss ? load<T, Item>(row.x + row.label * r.x_step) : T{0};
  sum_up<T, Item>(r, is_row, at, shared, row);
  if (has_loss) store_loss(l, at.row, row, score);
  if (is_row && r.work != RowWork::kNll) write<T, Item>(r, row, at);
}

// By which what is relative to one maximum becomes relative to a larger one.
ARN_DEVICE double rescaling(double max, double larger) {
  return max == larger ? 1.0 : std::exp(max - larger);
}

template <class T, class Item>
ARN_KERNEL observe_rows(RowsArgs r, RowLabels l, RowPart p, int lanes) {
  ARN_SHARED(double, shared, kBlockThreads);
  if (r.fault->step >= 0) return;
  const Lane at = lane_of_thread(lanes);
  const bool is_row = at.row < r.rows;
  Row row{};
  if (is_row) row = row_at<T>(r, l, at.row);
  sum_up<T, Item>(r, is_row, at, shared, row);
  if (!is_row || at.lane > 0) return;
  RowSeen& seen = p.seen[at.row];
  if (p.first == 0) seen = {row.max, 0.0, 0.0};
  const double max = row.max > seen.max ? row.max : seen.max;
  seen.sum = seen.sum * rescaling(seen.max, max) + row.sum * rescaling(row.max, max);
  seen.max = max;
  const std::int64_t column = row.label - p.first;
  const bool is_here = row.has_label && column >= 0 && column < r.length;
  if (is_here) seen.score = load<T, Item>(row.x + column * r.x_step);
}

template <class T, class Item>
ARN_KERNEL write_rows(RowsArgs r, RowLabels l, RowPart p, int lanes) {
  if (r.fault->step >= 0) return;
  const Lane at = lane_of_thread(lanes);
  if (at.row >= r.rows) return;
  Row row = row_at<T>(r, l, at.row);
  const RowSeen& seen = p.seen[at.row];
  row.max = seen.max;
  row.sum = seen.sum;
  row.label -= p.first;
  const bool has_loss = l.losses != nullptr && row.has_label && at.lane == 0;
  if (has_loss) store_loss(l, at.row, row, static_cast<T>(seen.score));
  write<T, Item>(r, row, at);
}

// What lies in memory, and what is computed with.
template <class Visit>
int visit_numbers(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::kFloat16: return visit.template operator()<float, Float16>();
    case DType::kBFloat16: return visit.template operator()<float, BFloat16>();
    case DType::kFloat32: return visit.template operator()<float, float>();
    default: return visit.template operator()<double, double>();
  }
}

}  // namespace

int launch_rows(const RowsArgs& args, const RowLabels& labels, Stream stream) {
  if (args.rows == 0) return 0;
  const int lanes = lanes_for(args.length, args.rows);
  return visit_numbers(args.dtype, [&]<class T, class Item>() {
    return launch(work_on_rows<T, Item>, grid_for(args.rows, lanes), stream, args, labels, lanes);
  });
}

int launch_part(const RowsArgs& args, const RowLabels& labels, const RowPart& part, Stream stream) {
  if (args.rows == 0) return 0;
  const int lanes = lanes_for(args.length, args.rows);
  return visit_numbers(args.dtype, [&]<class T, class Item>() {
    const auto kernel = part.is_observed ? write_rows<T, Item> : observe_rows<T, Item>;
    return launch(kernel, grid_for(args.rows, lanes), stream, args, labels, part, lanes);
  });
}

}  // namespace arignote::device
