#include "kernels/narrow_dot.hpp"

#include <algorithm>
#include <cstring>

#include "core/division.hpp"
#include "kernels/few_features.hpp"
#include "kernels/strided.hpp"

namespace arignote {
namespace {

// Multiplications that are worth a task: some tens of microseconds.
constexpr std::int64_t kTaskMultiplications = 1 << 19;
constexpr std::int64_t kMostParts = 64;
constexpr std::size_t kMostPartBytes = 4 << 20;
constexpr double kNanosecondsEach = 0.015;
constexpr double kNanosecondsPerByte = 0.02;

constexpr auto kUnit = static_cast<std::int64_t>(kAlignment);

// A matrix of `columns` columns, each of which is dense.
Layout by_columns(DType dtype, const NarrowShape& shape, std::int64_t item) {
  Layout layout{.dtype = dtype, .ndim = 2};
  layout.shape[0] = shape.features;
  layout.shape[1] = shape.columns;
  layout.strides[0] = item;
  layout.strides[1] = shape.step * item;
  return layout;
}

bool is_packed(const Layout& matrix, std::int64_t item) {
  const bool has_dense_rows = matrix.strides[1] == item || matrix.shape[1] == 1;
  return has_dense_rows && matrix.strides[0] == item * matrix.shape[1];
}

}  // namespace

bool NarrowDot::plan(const Layout& a, const Layout& b) {
  form_ = Form::kNone;
  x_item_ = static_cast<std::int64_t>(size_of(a.dtype));
  item_ = static_cast<std::int64_t>(size_of(b.dtype));
  const std::int64_t columns = b.shape[1];
  if (columns < 1 || columns > kMostNarrowColumns) return false;
  const bool is_forward = a.strides[1] == x_item_ && a.shape[1] >= 1;
  const bool is_backward = a.strides[0] == x_item_ && a.shape[0] >= 1 && is_packed(b, item_);
  if (!is_forward && !is_backward) return false;
  const std::size_t feature = is_forward ? 1 : 0;
  const std::int64_t x_stride = a.strides[1 - feature];
  if (x_stride % x_item_ != 0) return false;
  shape_ = {.rows = a.shape[1 - feature],
            .features = a.shape[feature],
            .columns = columns,
            .x_step = x_stride / x_item_};
  const bool has_few = shape_.features <= kFewFeatures;
  if (has_few && a.dtype != b.dtype) return false;
  shape_.step = b.dtype == DType::kFloat32 ? narrow_step<float>(shape_.features)
                                           : narrow_step<double>(shape_.features);
  form_ = is_forward ? Form::kForward : Form::kBackward;
  functions_ =
      has_few ? few_features_product(b.dtype)
              : NarrowProduct{narrow_forward(b.dtype, a.dtype), narrow_backward(b.dtype, a.dtype)};
  add_ = run_of(Update::kAdd, b.dtype);
  is_column_ = columns == 1 && b.strides[0] == item_;
  plan_parts();
  transpose_ = Transfer(Update::kSet, b.dtype);
  const Layout small = by_columns(b.dtype, shape_, item_);
  if (is_forward) return transpose_.plan(small, b);
  Layout out = small;
  out.strides[0] = columns * item_;
  out.strides[1] = item_;
  return transpose_.plan(out, small);
}

// Into tasks of some rows of out; or if there are too few of those, into parts of what is summed
// up, whose sums are then added as a tree: long sums keep their digits.
void NarrowDot::plan_parts() {
  const bool is_forward = form_ == Form::kForward;
  const std::int64_t outputs = is_forward ? shape_.rows : shape_.features;
  const std::int64_t depth = is_forward ? shape_.features : shape_.rows;
  const std::int64_t together = is_forward ? 4 : 64;
  const std::int64_t row = std::max<std::int64_t>(1, depth * shape_.columns);
  // Rows of x are best read whole.
  const bool is_whole = !is_forward && part_bytes() <= kMostPartBytes / kMostParts;
  const std::int64_t most = is_whole ? outputs : std::max(together, kTaskMultiplications / row);
  const std::int64_t tasks =
      std::max<std::int64_t>(1, ceil_div(outputs, std::max<std::int64_t>(1, most)));
  grain_ = ceil_div(std::max<std::int64_t>(1, outputs), tasks * together) * together;
  const std::int64_t wanted = outputs * row / kTaskMultiplications / tasks;
  const auto room =
      static_cast<std::int64_t>(kMostPartBytes / std::max<std::size_t>(1, part_bytes()));
  parts_ = std::max<std::int64_t>(1, std::min({wanted, room, kMostParts}));
}

std::size_t NarrowDot::small_bytes() const {
  const bool as_it_is = is_column_ && form_ == Form::kForward;
  return as_it_is ? 0 : static_cast<std::size_t>(shape_.columns * shape_.step * item_);
}

std::size_t NarrowDot::prepared_bytes() const {
  const std::size_t small = form_ == Form::kForward ? small_bytes() : 0;
  return small == 0 ? 0 : align_up(small) + kAlignment;
}

std::int64_t NarrowDot::part_length() const {
  return (form_ == Form::kForward ? shape_.rows : shape_.step) * shape_.columns;
}

std::size_t NarrowDot::part_bytes() const {
  return align_up(static_cast<std::size_t>(part_length() * item_));
}

std::size_t NarrowDot::workspace_bytes() const {
  const std::size_t parts = parts_ > 1 ? static_cast<std::size_t>(parts_) * part_bytes() : 0;
  return form_ == Form::kForward ? prepared_bytes() + parts : std::max(small_bytes(), parts);
}

double NarrowDot::cost() const {
  const double elements = static_cast<double>(shape_.rows) * static_cast<double>(shape_.features);
  const double computed = elements * static_cast<double>(shape_.columns) * kNanosecondsEach;
  return 50.0 + std::max(computed, elements * static_cast<double>(x_item_) * kNanosecondsPerByte);
}

const std::byte* NarrowDot::prepare(const std::byte* b, const std::byte* x,
                                    std::byte* memory) const noexcept {
  // Rows of x are read in vectors that are aligned, as far as they can be; then so are these.
  const bool is_as_wide = x_item_ == item_;
  std::byte* const columns = memory + (is_as_wide ? lead_bytes(shape_, x, item_, kUnit) : 0);
  transpose_.run(columns, b);
  return columns;
}

void NarrowDot::finish(const std::byte* sum, std::byte* out) const noexcept {
  transpose_.run(out, sum);
}

void NarrowDot::run(const RunArgs& args) const noexcept {
  form_ == Form::kForward ? run_forward(args) : run_backward(args);
}

void NarrowDot::run_forward(const RunArgs& args) const noexcept {
  const std::byte* w = is_column_ ? args.inputs[1] : args.prepared;
  std::byte* workspace = args.workspace;
  if (w == nullptr) {
    w = prepare(args.inputs[1], args.inputs[0], workspace);
    workspace += prepared_bytes();
  }
  parts_ == 1 ? forward_rows(args, w) : forward_parts(args, w, workspace);
}

void NarrowDot::forward_rows(const RunArgs& args, const std::byte* w) const noexcept {
  const std::int64_t grain = args.next != nullptr ? shape_.rows : grain_;
  parallel_ranges(shape_.rows, grain, [&](std::int64_t first, std::int64_t last) {
    NarrowShape part = shape_;
    part.rows = last - first;
    part.next = args.next;
    functions_.forward(part, args.inputs[0] + first * shape_.x_step * x_item_, w,
                       args.outputs[0] + first * shape_.columns * item_);
  });
}

void NarrowDot::forward_parts(const RunArgs& args, const std::byte* w,
                              std::byte* sums) const noexcept {
  parallel_for(parts_, [&](std::int64_t number) {
    const std::int64_t first = shape_.features * number / parts_;
    NarrowShape part = shape_;
    part.features = shape_.features * (number + 1) / parts_ - first;
    functions_.forward(part, args.inputs[0] + first * x_item_, w + first * item_,
                       sums + number * static_cast<std::int64_t>(part_bytes()));
  });
  add_parts(sums);
  std::memcpy(args.outputs[0], sums, static_cast<std::size_t>(part_length() * item_));
}

void NarrowDot::run_backward(const RunArgs& args) const noexcept {
  if (args.sum != nullptr) return backward_features(args, args.sum);
  if (parts_ > 1) {
    backward_parts(args, args.workspace);
  } else {
    std::memset(args.workspace, 0, small_bytes());
    backward_features(args, args.workspace);
  }
  finish(args.workspace, args.outputs[0]);
}

void NarrowDot::backward_features(const RunArgs& args, std::byte* sums) const noexcept {
  const std::int64_t grain = args.next != nullptr ? shape_.features : grain_;
  parallel_ranges(shape_.features, grain, [&](std::int64_t first, std::int64_t last) {
    NarrowShape part = shape_;
    part.features = last - first;
    part.next = args.next;
    functions_.backward(part, args.inputs[0] + first * x_item_, args.inputs[1],
                        sums + first * item_);
  });
}

void NarrowDot::backward_parts(const RunArgs& args, std::byte* sums) const noexcept {
  parallel_for(parts_, [&](std::int64_t number) {
    const std::int64_t first = shape_.rows * number / parts_;
    NarrowShape part = shape_;
    part.rows = shape_.rows * (number + 1) / parts_ - first;
    std::byte* const sum = sums + number * static_cast<std::int64_t>(part_bytes());
    std::memset(sum, 0, part_bytes());
    functions_.backward(part, args.inputs[0] + first * shape_.x_step * x_item_,
                        args.inputs[1] + first * shape_.columns * item_, sum);
  });
  add_parts(sums);
}

// Leaves their sum in the first.
void NarrowDot::add_parts(std::byte* sums) const noexcept {
  const auto bytes = static_cast<std::int64_t>(part_bytes());
  for (std::int64_t step = 1; step < parts_; step *= 2) {
    for (std::int64_t part = 0; part + step < parts_; part += 2 * step) {
      add_(sums + part * bytes, item_, sums + (part + step) * bytes, item_, part_length());
    }
  }
}

}  // namespace arignote
