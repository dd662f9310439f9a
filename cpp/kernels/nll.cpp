// The negative log-likelihood of labels under softmax, and its gradient.
//
//   nll                x, y -> out           log(sum(exp(x[i]))) - x[i, y[i]]
//   nll_gradient       x, y, g -> out        (softmax(x[i]) - one_hot(y[i])) * g[i]
//   nll_with_gradient  x, y, g -> out, loss  both, in one pass over x
//
// x may have more rows than y has labels; in the gradient those are zero. Where x and out of a
// gradient are halves, g and loss are float32, in which all is computed.
#include <algorithm>
#include <memory>
#include <optional>

#include "core/buffer.hpp"
#include "kernels/half_rows.hpp"
#include "kernels/likelihood.hpp"
#include "kernels/row_positions.hpp"
#include "kernels/softmax_rows.hpp"
#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

constexpr std::int64_t kGroup = RowPositions::kGroup;
constexpr std::int64_t kTaskElements = 1 << 14;

// Rows without gaps inside them, scored classes in each: x, or its packed copy.
class Scores {
 public:
  explicit Scores(DType dtype)
      : item_(static_cast<std::int64_t>(size_of(dtype))), gather_(Update::kSet, dtype) {}

  void plan(const Layout& x, std::int64_t labels) {
    classes_ = x.shape[1];
    stride_ = x.strides[0];
    gathered_ = (classes_ > 1 && x.strides[1] != item_) || stride_ % item_ != 0;
    bytes_ = gathered_ ? align_up(static_cast<std::size_t>(labels * classes_ * item_)) : 0;
    if (!gathered_) return;
    Layout from = x;
    from.shape[0] = labels;
    Layout to = from;
    to.strides[1] = item_;
    to.strides[0] = stride_ = classes_ * item_;
    gather_.plan(to, from);
  }
  std::size_t workspace_bytes() const { return bytes_; }
  const std::byte* ready(const std::byte* x, std::byte* workspace) const noexcept {
    if (gathered_) gather_.run(workspace, x);
    return gathered_ ? workspace : x;
  }
  std::int64_t classes() const { return classes_; }
  std::int64_t stride() const { return stride_; }
  std::int64_t grain() const {
    return std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, classes_));
  }

 private:
  std::int64_t item_;
  Transfer gather_;
  bool gathered_ = false;
  std::size_t bytes_ = 0;
  std::int64_t classes_ = 0;
  std::int64_t stride_ = 0;
};

// What both kernels share: labels, and groups of rows with the bytes from a row's start to the
// score of its label, as it is computed with.
class Labelled : public Kernel {
 public:
  explicit Labelled(const StepSpec& spec)
      : scores_(spec.input_dtypes[0]),
        labels_(spec.input_dtypes[1]),
        item_(static_cast<std::int64_t>(size_of(number_of(spec.input_dtypes[0])))),
        functions_(softmax_rows(number_of(spec.input_dtypes[0]))) {}

 protected:
  bool plan(const Layout& x, const Layout& y) {
    if (!labels_.plan(y, x.shape[1], item_) || labels_.count() > x.shape[0]) return false;
    scores_.plan(x, labels_.count());
    return true;
  }
  double row_cost(double of_an_element) const {
    const auto elements = static_cast<double>(labels_.count() * scores_.classes());
    return 50.0 + static_cast<double>(labels_.count()) * 10.0 + elements * of_an_element;
  }

  RowBlock block_of(const std::byte* x, std::int64_t first, std::int64_t rows) const {
    return {.x = x + first * scores_.stride(),
            .x_stride = scores_.stride(),
            .out = nullptr,
            .out_stride = 0,
            .rows = rows,
            .length = scores_.classes()};
  }

  // Of a row with this sum, logarithm taken.
  template <class T>
  void store_loss(std::byte* out, std::int64_t row, const ExpSum& sum, T score) const {
    store(out + row * item_, static_cast<T>(sum.sum + (sum.max - static_cast<double>(score))));
  }

  Scores scores_;
  RowPositions labels_;
  std::int64_t item_;
  SoftmaxRows functions_;
};

template <class T>
class Nll final : public Labelled {
 public:
  using Labelled::Labelled;

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!plan(inputs[0], inputs[1]) || !same_shape(inputs[1], outputs[0]) ||
        !outputs[0].contiguous()) {
      return Status::bad_plan("[nll] x must have a row for each label, and out an element");
    }
    return {};
  }
  std::size_t workspace_bytes() const override { return scores_.workspace_bytes(); }
  double cost() const override { return row_cost(0.7); }

  Status run(const RunArgs& args) noexcept override {
    const std::byte* x = scores_.ready(args.inputs[0], args.workspace);
    const auto work = [&](std::int64_t first, std::int64_t rows, const std::int64_t* offsets) {
      const RowBlock block = block_of(x, first, rows);
      ExpSum sums[kGroup];
      functions_.sums(block, sums);
      functions_.log_sums(sums, rows);
      for (std::int64_t i = 0; i < rows; ++i) {
        store_loss(args.outputs[0], first + i, sums[i],
                   load<T>(block.x + i * block.x_stride + offsets[i]));
      }
    };
    return labels_.for_each_group(args.inputs[1], scores_.grain(), work);
  }
};

template <class T>
class NllGradient final : public Labelled {
 public:
  explicit NllGradient(const StepSpec& spec)
      : Labelled(spec), shares_(overwrites(spec, 0)), with_loss_(spec.output_dtypes.size() > 1) {
    if (is_half(spec.input_dtypes[0])) halves_.emplace(spec.input_dtypes[0]);
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const bool fits =
        plan(inputs[0], inputs[1]) && same_shape(inputs[1], inputs[2]) &&
        same_shape(inputs[0], outputs[0]) && outputs[0].contiguous() &&
        (!shares_ || same_layout(inputs[0], outputs[0])) &&
        (!with_loss_ || (same_shape(inputs[1], outputs[1]) && outputs[1].contiguous()));
    if (!fits) return Status::bad_plan("[nll_gradient] x, y, g and out must fit");
    weight_stride_ = inputs[2].strides[0];
    row_bytes_ = scores_.classes() * static_cast<std::int64_t>(size_of(outputs[0].dtype));
    rows_ = outputs[0].shape[0];
    if (halves_) halves_->plan(labels_.count(), scores_.classes());
    return {};
  }
  std::size_t workspace_bytes() const override {
    return scores_.workspace_bytes() + (halves_ ? halves_->workspace_bytes() : 0);
  }
  double cost() const override {
    return row_cost((with_loss_ ? 1.1 : 1.0) + (halves_ ? 0.5 : 0.0));
  }

  Status run(const RunArgs& args) noexcept override {
    const std::byte* x = scores_.ready(args.inputs[0], args.workspace);
    std::byte* const floats = args.workspace + scores_.workspace_bytes();
    std::fill(args.outputs[0] + labels_.count() * row_bytes_, args.outputs[0] + rows_ * row_bytes_,
              std::byte{0});
    const auto visit = [&](std::int64_t first, std::int64_t rows, const std::int64_t* offsets) {
      RowBlock block = block_of(x, first, rows);
      block.out = args.outputs[0] + first * row_bytes_;
      block.out_stride = row_bytes_;
      if (!halves_) return work(args, block, first, offsets);
      halves_->for_some(block, first, floats, [&](const RowBlock& some, std::int64_t i) {
        work(args, some, first + i, offsets + i);
      });
    };
    return labels_.for_each_group(args.inputs[1], halves_ ? halves_->grain() : scores_.grain(),
                                  visit);
  }

 private:
  void work(const RunArgs& args, const RowBlock& block, std::int64_t first,
            const std::int64_t* offsets) const noexcept {
    double weights[kGroup];
    T scores[kGroup];
    ExpSum sums[kGroup];
    for (std::int64_t i = 0; i < block.rows; ++i) {
      weights[i] = static_cast<double>(load<T>(args.inputs[2] + (first + i) * weight_stride_));
      scores[i] = load<T>(block.x + i * block.x_stride + offsets[i]);
    }
    functions_.softmax(block, weights, sums);
    for (std::int64_t i = 0; i < block.rows; ++i) {
      std::byte* const at = block.out + i * block.out_stride + offsets[i];
      store(at, load<T>(at) - static_cast<T>(weights[i]));
    }
    if (!with_loss_) return;
    functions_.log_sums(sums, block.rows);
    for (std::int64_t i = 0; i < block.rows; ++i) {
      store_loss(args.outputs[1], first + i, sums[i], scores[i]);
    }
  }

  bool shares_;
  bool with_loss_;
  std::optional<HalfRows> halves_;
  std::int64_t weight_stride_ = 0;
  std::int64_t row_bytes_ = 0;
  std::int64_t rows_ = 0;
};

template <template <class> class Made>
std::unique_ptr<Kernel> make(const StepSpec& spec) {
  const bool is_single = number_of(spec.input_dtypes[0]) == DType::kFloat32;
  if (is_single) return std::make_unique<Made<float>>(spec);
  return std::make_unique<Made<double>>(spec);
}

std::unique_ptr<Kernel> make_nll(const StepSpec& spec, Status& status) {
  if (is_likelihood(spec, false, true)) return make<Nll>(spec);
  status = Status::bad_plan("[nll] x a real matrix, y an integer vector, out a vector as x");
  return nullptr;
}

std::unique_ptr<Kernel> make_nll_gradient(const StepSpec& spec, Status& status) {
  if (is_likelihood(spec, true, false)) return make<NllGradient>(spec);
  status = Status::bad_plan(
      "[nll_gradient] x and out real matrices, y integers, g as x, or float32 for halves");
  return nullptr;
}

std::unique_ptr<Kernel> make_nll_with_gradient(const StepSpec& spec, Status& status) {
  if (is_likelihood(spec, true, true)) return make<NllGradient>(spec);
  status = Status::bad_plan(
      "[nll_with_gradient] x and out real matrices, y integers, g and loss vectors as x, or "
      "float32 for halves");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"nll", &make_nll},
                                    {"nll_gradient", &make_nll_gradient},
                                    {"nll_with_gradient", &make_nll_with_gradient}};

}  // namespace

std::span<const KernelEntry> nll_kernels() { return kEntries; }

}  // namespace arignote
