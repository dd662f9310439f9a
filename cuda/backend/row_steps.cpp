#include "backend/row_steps.hpp"

#include <algorithm>
#include <string_view>

#include "backend/program_code.hpp"
#include "core/division.hpp"
#include "kernels/dot_shape.hpp"
#include "kernels/program_shape.hpp"

namespace arignote::device {
namespace {

// Columns of what rows are multiplied by: for more, products are worth kernels of their own.
constexpr std::int64_t kMostColumns = 64;

// How much a thread has to do before another one shares it.
constexpr std::int64_t kDepthEach = 8;
constexpr std::int64_t kColumnsEach = 4;

// Lanes that have sums of their own take shared memory.
constexpr std::int64_t kMostLaneSums = 2048;

std::int32_t lanes_for_length(std::int64_t length, std::int64_t each) {
  std::int32_t lanes = 1;
  while (lanes < kWarpThreads && lanes * each < length) lanes *= 2;
  return lanes;
}

// As many as the block has threads for, if so many are at work in each.
std::int32_t lanes_for_threads(std::int64_t threads, std::int64_t sums) {
  std::int32_t lanes = 1;
  while (lanes < kWarpThreads && 2 * lanes * threads <= kBlockThreads &&
         2 * lanes * sums <= kMostLaneSums) {
    lanes *= 2;
  }
  return lanes;
}

std::int64_t length_of(const Layout& layout, int axis) {
  return axis == kNone ? 1 : layout.shape[axis];
}
std::int64_t stride_of(const Layout& layout, int axis) {
  return axis == kNone ? 0 : layout.strides[axis];
}

}  // namespace

bool RowSteps::add(int number) {
  number_ = number;
  const Step& step = body_.step(number);
  // A reshape of what has gaps is a copy.
  if (step.kind == StepKind::kReshape) return rows_.layout(step.inputs[0]).contiguous();
  if (step.kind != StepKind::kKernel) return false;
  const std::string_view kernel = step.spec.kernel;
  using Kind = RowStep::Kind;
  if (kernel == "dot") return add_dot(step);
  if (kernel == "elementwise") return add_program(step);
  if (kernel == "take") return true;  // a stream: see RowOperands
  if (kernel == "softmax") return add_rows(step, Kind::kSoftmax);
  if (kernel == "log_softmax") return add_rows(step, Kind::kLogSoftmax);
  if (kernel == "nll") return add_rows(step, Kind::kNll);
  if (kernel == "nll_gradient") return add_rows(step, Kind::kNllGradient);
  if (kernel == "nll_with_gradient") return add_rows(step, Kind::kNllGradient);
  if (kernel == "argmax" || kernel == "argmin") return add_argmax(step);
  if (kernel == "pick") return add_rows(step, Kind::kPick);
  if (kernel != "place") return false;
  return add_rows(step, step.spec.ints[0] == 0 ? Kind::kPlace : Kind::kPlaceMore);
}

bool RowSteps::has_sum(int output) const {
  return std::ranges::any_of(
      sums, [&](const RowSum& sum) { return sum.pointer == rows_.output_pointer(output); });
}

bool RowSteps::is_sum(int id) const {
  const int output = rows_.output_of(id);
  return output != kNone && is_sum_[static_cast<std::size_t>(output)] != 0;
}

RowStep RowSteps::step_of(RowStep::Kind kind, std::int64_t columns) const {
  return {.kind = kind,
          .part = number_,
          .first_operand = static_cast<std::int32_t>(rows_.drafts().size()),
          .columns = static_cast<std::int32_t>(columns)};
}

// Of matrices whose rows lie along the first axis, and vectors of as many elements.
bool RowSteps::add_operands(std::span<const int> ids, std::int64_t columns) {
  return std::ranges::all_of(ids, [&](int id) {
    const bool is_matrix = rows_.layout(id).ndim == 2;
    return rows_.layout(id).ndim >= 1 && rows_.add(id, 0, is_matrix ? 1 : kNone) &&
           rows_.drafts().back().columns == (is_matrix ? columns : 1);
  });
}

// Returns where they lie among the sums.
std::int32_t RowSteps::add_sum(RowSum sum, std::int64_t item) {
  sum.held = static_cast<std::int32_t>(sum_bytes);
  sum.partial = partial_bytes;
  sum.first = n_results;
  sum_bytes += aligned(sum.lanes * sum.count * item);
  partial_bytes += aligned(sum.count * item);
  n_results += sum.count;
  sums.push_back(sum);
  return sum.held;
}

// --- products

bool RowSteps::add_dot(const Step& step) {
  const Layout inputs[] = {rows_.layout(step.inputs[0]), rows_.layout(step.inputs[1])};
  DotOperands matrices;
  if (!dot_operands(inputs, rows_.layout(step.outputs[0]), matrices).ok()) return false;
  const RowValue& a = rows_.value(step.inputs[0]);
  const RowValue& b = rows_.value(step.inputs[1]);
  const int a_lines = inputs[0].ndim == 2 ? 0 : kNone;
  const int a_depth = inputs[0].ndim - 1;
  const int b_lines = inputs[1].ndim == 2 ? 1 : kNone;
  const bool has_columns = rows_.layout(step.outputs[0]).ndim == 2;
  if (!a.is_known || !b.is_known) return false;
  if (a.has_rows() && b.has_rows()) {
    return a.row_axis == a_depth && b.row_axis == 0 &&
           add_outer(step, {a_depth, a_lines}, {0, b_lines});
  }
  if (a.has_rows()) {
    return a.row_axis == a_lines &&
           add_product(step.inputs[0], {a_lines, a_depth}, step.inputs[1], b_lines, 0,
                       step.outputs[0], has_columns ? 1 : kNone);
  }
  return b.has_rows() && b.row_axis == b_lines &&
         add_product(step.inputs[1], {b_lines, 0}, step.inputs[0], a_lines, a_depth,
                     step.outputs[0], has_columns ? 0 : kNone);
}

// Elements of a row lie side by side, and may be numbers that are read several at a time.
bool RowSteps::add_factor(int id, Axes axes, bool is_in_pieces) {
  if (!rows_.add(id, axes.rows, axes.columns)) return false;
  const DraftOperand& draft = rows_.drafts().back();
  const RowOperand& own = draft.operand;
  const bool is_dense = draft.columns == 1 || own.column_step == item_of(rows_.layout(id));
  return own.place != RowOperand::Place::kMemory && is_dense &&
         (!is_in_pieces || (own.offset % 16 == 0 && own.dtype == numbers_));
}

bool RowSteps::add_product(int left, Axes axes, int factor, int factor_columns, int factor_depth,
                           int out, int out_columns) {
  const Layout& matrix = rows_.layout(factor);
  const RowValue& value = rows_.value(factor);
  const auto pointer = rows_.pointer_of(value.root);
  const std::int64_t columns = length_of(matrix, factor_columns);
  const std::int64_t depth = matrix.shape[factor_depth];
  // What is held is read as it lies.
  if (!pointer || rows_.output_of(value.root) != kNone || matrix.dtype != numbers_ || columns < 1 ||
      columns > kMostColumns || depth < 1 || depth > kMostRowBytes) {
    return false;
  }
  RowStep step = step_of(RowStep::Kind::kProduct, columns);
  if (!add_factor(left, axes, false) || !rows_.add(out, out_columns == 0 ? 1 : 0, out_columns)) {
    return false;
  }
  step.depth = static_cast<std::int32_t>(depth);
  step.lanes = lanes_for_length(depth, kDepthEach);
  step.held = static_cast<std::int32_t>(factor_bytes);
  steps.push_back(step);
  factors.push_back({.pointer = *pointer,
                     .held = step.held,
                     .columns = step.columns,
                     .depth = step.depth,
                     .offset = value.offset,
                     .column_step = stride_of(matrix, factor_columns),
                     .depth_step = matrix.strides[factor_depth]});
  factor_bytes += aligned(columns * depth * static_cast<std::int64_t>(size_of(numbers_)));
  return factor_bytes <= kMostRowBytes;
}

// The wider one of the two has the features, each of which a thread multiplies by the other's.
bool RowSteps::add_outer(const Step& step, Axes a, Axes b) {
  int left = step.inputs[0];
  int right = step.inputs[1];
  const int out = step.outputs[0];
  const Layout& target = rows_.layout(out);
  std::int64_t line_step = a.columns == kNone ? 0 : target.strides[0];
  std::int64_t column_step = b.columns == kNone ? 0 : target.strides[target.ndim - 1];
  if (length_of(rows_.layout(right), b.columns) > length_of(rows_.layout(left), a.columns)) {
    std::swap(left, right);
    std::swap(a, b);
    std::swap(line_step, column_step);
  }
  const std::int64_t features = length_of(rows_.layout(left), a.columns);
  const std::int64_t columns = length_of(rows_.layout(right), b.columns);
  RowStep outer = step_of(RowStep::Kind::kOuter, columns);
  if (!is_sum(out) || columns < 1 || columns > kMostColumns || features > kMostRowBytes ||
      !add_factor(left, a, false) || !add_factor(right, b, true)) {
    return false;
  }
  const std::int64_t threads =
      ceil_div(features, kOuterFeatures) * ceil_div(columns, kProductColumns);
  outer.depth = static_cast<std::int32_t>(features);
  outer.lanes = lanes_for_threads(threads, features * columns);
  outer.held = add_sum({.lanes = outer.lanes,
                        .count = static_cast<std::int32_t>(features * columns),
                        .lines = outer.depth,
                        .pointer = rows_.output_pointer(out),
                        .is_of_products = true,
                        .to = numbers_,
                        .line_step = line_step,
                        .column_step = column_step},
                       static_cast<std::int64_t>(size_of(numbers_)));
  steps.push_back(outer);
  return sum_bytes <= kMostRowBytes;
}

// --- steps on each row

bool RowSteps::add_argmax(const Step& step) {
  const RowValue& x = rows_.value(step.inputs[0]);
  const Layout& own = rows_.layout(step.inputs[0]);
  if (!x.is_known || !x.has_rows() || own.ndim != 2) return false;
  const int columns = x.other_axis(own.ndim);
  const bool fits =
      step.spec.ints.size() == 1 && step.spec.ints[0] == columns && own.shape[columns] > 0;
  const bool is_maximum = step.spec.kernel == "argmax";
  steps.push_back(
      step_of(is_maximum ? RowStep::Kind::kArgmax : RowStep::Kind::kArgmin, own.shape[columns]));
  return fits && rows_.add(step.inputs[0], x.row_axis, columns) &&
         rows_.add(step.outputs[0], 0, kNone);
}

bool RowSteps::add_rows(const Step& step, RowStep::Kind kind) {
  const Layout& x = rows_.layout(step.inputs[0]);
  if (x.ndim != 2 || rows_.value(step.inputs[0]).row_axis != 0 || x.shape[1] < 1) return false;
  // What computes does so in the numbers of products.
  if (kind <= RowStep::Kind::kNllGradient && x.dtype != numbers_) return false;
  RowStep own = step_of(kind, x.shape[1]);
  own.lanes = lanes_for_length(own.columns, kColumnsEach);
  own.has_losses = kind == RowStep::Kind::kNll || step.outputs.size() == 2;
  if (!add_operands(step.inputs, own.columns) || !add_operands(step.outputs, own.columns)) {
    return false;
  }
  const auto has_rows = [&](int id) { return rows_.value(id).has_rows(); };
  const bool takes_labels = kind >= RowStep::Kind::kNll;
  if (!std::ranges::all_of(step.outputs, has_rows)) return false;
  if (takes_labels && !has_rows(step.inputs[1])) return false;
  has_labels = has_labels || takes_labels;
  steps.push_back(own);
  return true;
}

// --- elementwise programs

bool RowSteps::add_program(const Step& step) {
  ElementwiseProgram program;
  std::vector<Layout> inputs;
  std::vector<std::int64_t> shape;
  for (const int id : step.inputs) inputs.push_back(rows_.layout(id));
  if (!decode(step.spec, program).ok() || !broadcast(program, inputs, shape)) return false;
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    const Layout& out = rows_.layout(step.outputs[i]);
    if (!check_output(program, i, inputs, out, shape).ok()) return false;
  }
  Axes axes;
  for (const int id : step.inputs) {
    if (rows_.value(id).is_known && rows_.value(id).has_rows())
      axes.rows = rows_.value(id).row_axis;
  }
  if (axes.rows == kNone || shape.size() > 2 || shape[axes.rows] != rows_.rows()) return false;
  if (shape.size() == 2) axes.columns = 1 - axes.rows;
  const std::int64_t columns = axes.columns == kNone ? 1 : shape[axes.columns];
  if (columns < 1 || columns > kMostRowBytes) return false;
  steps.push_back(step_of(RowStep::Kind::kElements, columns));
  return add_elements(step, program, axes);
}

bool RowSteps::add_elements(const Step& step, const ElementwiseProgram& program, Axes axes) {
  ProgramCode code;
  if (!write_code(program, code).ok() || code.n_slots > kMostRowSlots) return false;
  RowStep& own = steps.back();
  own.first_operation = static_cast<std::int32_t>(operations.size());
  own.n_operations = static_cast<std::int32_t>(code.operations.size());
  own.first_reduction = static_cast<std::int32_t>(reductions.size());
  own.lanes = lanes_for_threads(own.columns, own.columns);
  operations.insert(operations.end(), code.operations.begin(), code.operations.end());
  for (const int id : step.inputs) {
    if (!rows_.add(id, axes.rows, axes.columns)) return false;
  }
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (program.outputs[i].reduction != nullptr) continue;
    const int out = step.outputs[i];
    if (!rows_.value(out).has_rows() || !rows_.add(out, axes.rows, axes.columns)) return false;
  }
  std::int64_t scratch = 0;
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (program.outputs[i].reduction == nullptr) continue;
    if (!add_reduction(step.outputs[i], program.outputs[i], code.result_slots[i], axes, own,
                       scratch)) {
      return false;
    }
  }
  scratch_row = std::max(scratch_row, scratch);
  return true;
}

bool RowSteps::add_reduction(int out, const ProgramOutput& output, int slot, Axes axes,
                             RowStep& step, std::int64_t& scratch) {
  const auto reduces = [&](int axis) {
    return axis != kNone && (output.reduced >> axis & 1U) != 0;
  };
  RowReduction reduction{.value = {.slot = static_cast<std::uint16_t>(slot),
                                   .reduction = reduction_of(output.reduction->name),
                                   .from = output.reduction->in},
                         .to = output.reduction->out,
                         .over_rows = reduces(axes.rows),
                         .over_columns = reduces(axes.columns),
                         .scratch = static_cast<std::int32_t>(scratch)};
  constexpr std::int64_t kItem = sizeof(std::uint64_t);
  scratch += aligned(step.columns * kItem);
  if (reduction.over_rows) {
    if (!is_sum(out) || reduction.value.reduction != Reduction::kSum) return false;
    const Layout& target = rows_.layout(out);
    reduction.target = add_sum({.lanes = step.lanes,
                                .count = reduction.over_columns ? 1 : step.columns,
                                .pointer = rows_.output_pointer(out),
                                .value = reduction.value,
                                .to = reduction.to,
                                .column_step = stride_of(target, target.ndim - 1)},
                               kItem);
  } else {
    reduction.target = static_cast<std::int32_t>(rows_.drafts().size()) - step.first_operand;
    if (!rows_.value(out).has_rows() || !rows_.add(out, 0, kNone)) return false;
  }
  reductions.push_back(reduction);
  ++step.n_reductions;
  return true;
}

}  // namespace arignote::device
