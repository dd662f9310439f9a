#include "kernels/narrow_dot.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/strided.hpp"

namespace arignote {
namespace {

// With fewer features there is nothing to gain.
constexpr std::int64_t kLeastFeatures = 16;
// Multiplications that are worth a task: some tens of microseconds.
constexpr std::int64_t kTaskMultiplications = 1 << 19;
constexpr double kNanosecondsEach = 0.03;
constexpr double kNanosecondsPerByte = 0.05;

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
  return matrix.strides[1] == item && matrix.strides[0] == item * matrix.shape[1];
}

}  // namespace

bool NarrowDot::plan(const Layout& a, const Layout& b) {
  form_ = Form::kNone;
  item_ = static_cast<std::int64_t>(size_of(a.dtype));
  const std::int64_t columns = b.shape[1];
  if (columns < 1 || columns > kMostNarrowColumns) return false;
  const bool is_forward = a.strides[1] == item_ && a.shape[1] >= kLeastFeatures;
  const bool is_backward =
      a.strides[0] == item_ && a.shape[0] >= kLeastFeatures && is_packed(b, item_);
  if (!is_forward && !is_backward) return false;
  const std::size_t feature = is_forward ? 1 : 0;
  const std::int64_t x_stride = a.strides[1 - feature];
  if (x_stride % item_ != 0) return false;
  shape_ = {.rows = a.shape[1 - feature],
            .features = a.shape[feature],
            .columns = columns,
            .x_step = x_stride / item_};
  shape_.step = a.dtype == DType::kFloat32 ? narrow_step<float>(shape_.features)
                                           : narrow_step<double>(shape_.features);
  form_ = is_forward ? Form::kForward : Form::kBackward;
  functions_ = narrow_product(a.dtype);
  transpose_ = Transfer(Update::kSet, a.dtype);
  const Layout small = by_columns(a.dtype, shape_, item_);
  if (is_forward) return transpose_.plan(small, b);
  Layout out = small;
  out.strides[0] = columns * item_;
  out.strides[1] = item_;
  return transpose_.plan(out, small);
}

std::size_t NarrowDot::small_bytes() const {
  return static_cast<std::size_t>(shape_.columns * shape_.step * item_);
}

double NarrowDot::cost() const {
  const double elements = static_cast<double>(shape_.rows) * static_cast<double>(shape_.features);
  const double computed = elements * static_cast<double>(shape_.columns) * kNanosecondsEach;
  return 50.0 + std::max(computed, elements * static_cast<double>(item_) * kNanosecondsPerByte);
}

void NarrowDot::prepare(const std::byte* b, std::byte* prepared) const noexcept {
  std::memset(prepared, 0, small_bytes());
  transpose_.run(prepared, b);
}

void NarrowDot::finish(const std::byte* sum, std::byte* out) const noexcept {
  transpose_.run(out, sum);
}

void NarrowDot::run(const RunArgs& args) const noexcept {
  form_ == Form::kForward ? run_forward(args) : run_backward(args);
}

void NarrowDot::run_forward(const RunArgs& args) const noexcept {
  const std::byte* w = args.prepared;
  if (w == nullptr) {
    prepare(args.inputs[1], args.workspace);
    w = args.workspace;
  }
  const std::int64_t row = shape_.features * shape_.columns;
  const std::int64_t grain = std::max<std::int64_t>(4, kTaskMultiplications / row / 4 * 4);
  parallel_ranges(shape_.rows, grain, [&](std::int64_t first, std::int64_t last) {
    NarrowShape part = shape_;
    part.rows = last - first;
    functions_.forward(part, args.inputs[0] + first * shape_.x_step * item_, w,
                       args.outputs[0] + first * shape_.columns * item_);
  });
}

void NarrowDot::run_backward(const RunArgs& args) const noexcept {
  std::byte* const sums = args.adds ? args.outputs[0] : args.workspace;
  if (!args.adds) std::memset(sums, 0, small_bytes());
  const std::int64_t feature = std::max<std::int64_t>(1, shape_.rows) * shape_.columns;
  std::int64_t grain = std::max<std::int64_t>(64, kTaskMultiplications / feature / 64 * 64);
  if (grain >= shape_.features / 2) grain = shape_.features;
  parallel_ranges(shape_.features, grain, [&](std::int64_t first, std::int64_t last) {
    NarrowShape part = shape_;
    part.features = last - first;
    part.goes_on = args.goes_on && part.features == shape_.features;
    functions_.backward(part, args.inputs[0] + first * item_, args.inputs[1], sums + first * item_);
  });
  if (!args.adds) finish(sums, args.outputs[0]);
}

}  // namespace arignote
