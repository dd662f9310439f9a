// Steps that make a value of a tile's rows of others of the same rows.
#pragma once

#include "kernels/elementwise.cuh"
#include "kernels/row_likelihood.cuh"
#include "kernels/row_tile.cuh"

namespace arignote::device {

// --- elementwise programs

ARN_DEVICE void run_operations(const RowTile& tile, const RowStep& s, int row, int column,
                               Bits (&slots)[kMostRowSlots]) {
  for (int i = 0; i < s.n_operations; ++i) {
    const Operation o = tile.args().operations[s.first_operation + i];
    switch (o.kind) {
      case Operation::Kind::kLoad:
        slots[o.slot] = load_bits(o.to, tile.at(tile.operand(s, o.a), row, column));
        break;
      case Operation::Kind::kStore:
        store_bits(o.from, slots[o.b], tile.at(tile.operand(s, o.a), row, column));
        break;
      default: slots[o.slot] = result_of(o, slots);
    }
  }
}

ARN_DEVICE void run_elements(const RowTile& tile, const RowStep& s) {
  for (int i = thread_index(); i < tile.rows() * s.columns; i += block_threads()) {
    Bits slots[kMostRowSlots];
    run_operations(tile, s, i / s.columns, i % s.columns, slots);
    for (int k = 0; k < s.n_reductions; ++k) {
      const RowReduction& r = tile.args().reductions[s.first_reduction + k];
      tile.held<Bits>(r.scratch)[i] = taken(r.value, slots[r.value.slot]);
    }
  }
}

// Of the elements that have come together, each row's; the first one then is the row's result.
ARN_DEVICE void reduce_columns(const RowTile& tile, const RowStep& s, const RowReduction& r) {
  for (int row = thread_index(); row < tile.rows(); row += block_threads()) {
    Bits* const elements = tile.held<Bits>(r.scratch) + row * s.columns;
    Bits result = neutral(r.value);
    for (int i = 0; i < s.columns; ++i) result = join(r.value, result, elements[i]);
    if (r.over_rows) {
      elements[0] = result;
    } else {
      const RowOperand out = tile.operand(s, r.target);
      store_bits(r.to, cast(result, reduced_dtype(r.value), r.to), tile.at(out, row));
    }
  }
}

// Row by row, as outer products are added up.
ARN_DEVICE void reduce_rows(const RowTile& tile, const RowStep& s, const RowReduction& r) {
  const int columns = r.over_columns ? 1 : s.columns;
  for (int work = thread_index(); work < columns * s.lanes; work += block_threads()) {
    const int lane = work / columns;
    const int column = work % columns;
    const Bits* const elements = tile.held<Bits>(r.scratch) + column;
    Bits* const sum = tile.held<Bits>(r.target) + work;
    Bits own = *sum;
    for (int row = tile.first_of_lane(lane, s.lanes); row < tile.rows(); row += s.lanes) {
      own = join(r.value, own, elements[row * s.columns]);
    }
    *sum = own;
  }
}

ARN_DEVICE void run_program(const RowTile& tile, const RowStep& s) {
  run_elements(tile, s);
  const auto for_each = [&](auto&& visit) {
    for (int k = 0; k < s.n_reductions; ++k) visit(tile.args().reductions[s.first_reduction + k]);
  };
  if (s.n_reductions == 0) return;
  sync_threads();
  for_each([&](const RowReduction& r) {
    if (r.over_columns) reduce_columns(tile, s, r);
  });
  sync_threads();
  for_each([&](const RowReduction& r) {
    if (r.over_rows) reduce_rows(tile, s, r);
  });
}

// --- softmax, and the likelihood of labels

// join(a, b) of the values of all lanes, as a tree, for all of them.
template <class Join>
ARN_DEVICE double joined(double value, int lanes, Join&& join) {
  for (int half = lanes / 2; half > 0; half /= 2) value = join(value, shuffle_down(value, half));
  return shuffle_from(value, thread_index() % kWarpThreads / lanes * lanes);
}

// What is known of a row.
struct RowScores {
  double max;
  double sum;  // of exp(x - max)
  std::int64_t label;  // -1: none
  double weight;
};

// The elements of a row as they lie; all columns of `out` are written behind what is read of them.
template <class T>
class Likelihood {
 public:
  ARN_DEVICE Likelihood(RowTile& tile, const RowStep& s)
      : tile_(tile), s_(s), x_(tile.operand(s, 0)), lane_(thread_index() % s.lanes) {}

  // All lanes of a warp take as many turns.
  ARN_DEVICE void run() {
    const int at_once = block_threads() / s_.lanes;
    for (int begin = 0; begin < tile_.rows(); begin += at_once) {
      const int row = begin + thread_index() / s_.lanes;
      const bool is_row = row < tile_.rows();
      RowScores scores{0.0, 0.0, -1, 1.0};
      if (is_row) take_label(row, scores);
      scores.max = joined(is_row ? max_of(row) : 0.0, s_.lanes,
                          [](double a, double b) { return b > a ? b : a; });
      scores.sum = joined(is_row ? sum_of(row, scores.max) : 0.0, s_.lanes,
                          [](double a, double b) { return a + b; });
      if (!is_row) continue;
      if (lane_ == 0) write_loss(row, scores);
      if (s_.kind != RowStep::Kind::kNll) write(row, scores);
    }
  }

 private:
  ARN_DEVICE T element(int row, int column) const {
    return *reinterpret_cast<const T*>(tile_.at(x_, row, column));
  }
  ARN_DEVICE bool is_gradient() const { return s_.kind == RowStep::Kind::kNllGradient; }

  ARN_DEVICE void take_label(int row, RowScores& scores) {
    if (s_.kind < RowStep::Kind::kNll) return;
    const RowOperand labels = tile_.operand(s_, 1);
    scores.label = tile_.place_of(labels.dtype, tile_.at(labels, row), s_.columns, s_.part,
                                  tile_.first() + row);
    if (is_gradient()) {
      scores.weight = *reinterpret_cast<const T*>(tile_.at(tile_.operand(s_, 2), row));
    }
  }
  ARN_DEVICE double max_of(int row) const {
    T max = -std::numeric_limits<T>::infinity();
    for (int i = lane_; i < s_.columns; i += s_.lanes) {
      const T x = element(row, i);
      max = x > max ? x : max;
    }
    return max;
  }
  // A NaN passes through the exponential, whether or not the maximum has noticed it.
  ARN_DEVICE double sum_of(int row, double max) const {
    double sum = 0.0;
    for (int i = lane_; i < s_.columns; i += s_.lanes) {
      sum += static_cast<double>(exponential(element(row, i), max));
    }
    return sum;
  }
  ARN_DEVICE void write_loss(int row, const RowScores& scores) const {
    if (!s_.has_losses || scores.label < 0) return;
    const RowOperand losses = tile_.operand(s_, is_gradient() ? 4 : 2);
    const T score = element(row, static_cast<int>(scores.label));
    *reinterpret_cast<T*>(tile_.at(losses, row)) = loss_of(score, scores.max, scores.sum);
  }
  ARN_DEVICE void write(int row, const RowScores& scores) const {
    const RowOperand out = tile_.operand(s_, is_gradient() ? 3 : 1);
    const bool is_log = s_.kind == RowStep::Kind::kLogSoftmax;
    const double log_sum = is_log ? std::log(scores.sum) : 0.0;
    const T factor = static_cast<T>(scores.weight / scores.sum);
    for (int i = lane_; i < s_.columns; i += s_.lanes) {
      const T x = element(row, i);
      T result = is_log ? log_share(x, scores.max, log_sum) : exponential(x, scores.max) * factor;
      if (i == scores.label) result = result - static_cast<T>(scores.weight);
      *reinterpret_cast<T*>(tile_.at(out, row, i)) = result;
    }
  }

  RowTile& tile_;
  const RowStep& s_;
  RowOperand x_;
  int lane_;
};

// --- one element of each row

// A NaN is the extreme, the first of equals is taken.
ARN_DEVICE void find_extremes(const RowTile& tile, const RowStep& s) {
  const RowOperand x = tile.operand(s, 0);
  const bool is_minimum = s.kind == RowStep::Kind::kArgmin;
  const ScalarOp better = is_minimum ? ScalarOp::lt_op : ScalarOp::gt_op;
  for (int row = thread_index(); row < tile.rows(); row += block_threads()) {
    Bits best = load_bits(x.dtype, tile.at(x, row));
    std::int64_t index = 0;
    const auto is_number = [&](Bits bits) {
      return compute(ScalarOp::eq_op, x.dtype, DType::kBool, bits, bits, bits) != 0;
    };
    for (int i = 1; i < s.columns && is_number(best); ++i) {
      const Bits next = load_bits(x.dtype, tile.at(x, row, i));
      const bool beats =
          !is_number(next) || compute(better, x.dtype, DType::kBool, next, best, best) != 0;
      if (!beats) continue;
      best = next;
      index = i;
    }
    *reinterpret_cast<std::int64_t*>(tile.at(tile.operand(s, 1), row)) = index;
  }
}

ARN_DEVICE void pick_elements(RowTile& tile, const RowStep& s) {
  const RowOperand x = tile.operand(s, 0);
  const RowOperand labels = tile.operand(s, 1);
  for (int row = thread_index(); row < tile.rows(); row += block_threads()) {
    const std::int64_t place =
        tile.place_of(labels.dtype, tile.at(labels, row), s.columns, s.part, tile.first() + row);
    if (place < 0) continue;
    move_element(x.dtype, tile.at(x, row, static_cast<int>(place)),
                 tile.at(tile.operand(s, 2), row));
  }
}

ARN_DEVICE void place_elements(RowTile& tile, const RowStep& s) {
  const RowOperand x = tile.operand(s, 0);
  const RowOperand labels = tile.operand(s, 1);
  const RowOperand v = tile.operand(s, 2);
  const RowOperand out = tile.operand(s, 3);
  for (int row = thread_index(); row < tile.rows(); row += block_threads()) {
    for (int i = 0; i < s.columns; ++i) {
      move_element(x.dtype, tile.at(x, row, i), tile.at(out, row, i));
    }
    const std::int64_t place =
        tile.place_of(labels.dtype, tile.at(labels, row), s.columns, s.part, tile.first() + row);
    if (place < 0) continue;
    std::byte* const to = tile.at(out, row, static_cast<int>(place));
    if (s.kind == RowStep::Kind::kPlace) {
      move_element(x.dtype, tile.at(v, row), to);
    } else {
      const Bits sum =
          add_bits(x.dtype, load_bits(x.dtype, to), load_bits(x.dtype, tile.at(v, row)));
      store_bits(x.dtype, sum, to);
    }
  }
}

}  // namespace arignote::device
