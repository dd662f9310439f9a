// The negative log-likelihood of labels under softmax, and its gradient.
//
//   nll                x, y -> out           log(sum(exp(x[i]))) - x[i, y[i]]
//   nll_gradient       x, y, g -> out        (softmax(x[i]) - one_hot(y[i])) * g[i]
//   nll_with_gradient  x, y, g -> out, loss  both, in one pass over x
//
// x may have more rows than y has labels; in the gradient those are zero.
#include <algorithm>
#include <memory>

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
    bytes_ = gathered_ ? align_up_rows(labels) : 0;
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
  std::int64_t item() const { return item_; }
  std::int64_t grain() const {
    return std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, classes_));
  }

 private:
  std::size_t align_up_rows(std::int64_t labels) const {
    return static_cast<std::size_t>(labels * classes_ * item_);
  }

  std::int64_t item_;
  Transfer gather_;
  bool gathered_ = false;
  std::size_t bytes_ = 0;
  std::int64_t classes_ = 0;
  std::int64_t stride_ = 0;
};

// What both kernels share: labels, and groups of rows with the bytes from a row's start to the
// score of its label.
class Labelled : public Kernel {
 public:
  explicit Labelled(const StepSpec& spec)
      : scores_(spec.input_dtypes[0]),
        labels_(spec.input_dtypes[1]),
        functions_(softmax_rows(spec.input_dtypes[0])) {}

 protected:
  bool plan(const Layout& x, const Layout& y) {
    if (!labels_.plan(y, x.shape[1], scores_.item()) || labels_.count() > x.shape[0]) return false;
    scores_.plan(x, labels_.count());
    return true;
  }
  double row_cost(double of_an_element) const {
    const auto elements = static_cast<double>(labels_.count() * scores_.classes());
    return 50.0 + static_cast<double>(labels_.count()) * 10.0 + elements * of_an_element;
  }

  // visit(first, rows, label offsets) for groups of rows; fails at the first label out of range.
  template <class Visit>
  Status for_each_group(std::byte* y, Visit&& visit) const noexcept {
    return labels_.for_each_group(y, scores_.grain(), visit);
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
  static void store_loss(std::byte* out, const ExpSum& sum, T score) {
    store(out, static_cast<T>(sum.sum + (sum.max - static_cast<double>(score))));
  }

  Scores scores_;
  RowPositions labels_;
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
    return for_each_group(args.inputs[1],
                          [&](std::int64_t first, std::int64_t rows, const std::int64_t* offsets) {
                            const RowBlock block = block_of(x, first, rows);
                            ExpSum sums[kGroup];
                            functions_.sums(block, sums);
                            functions_.log_sums(sums, rows);
                            for (std::int64_t i = 0; i < rows; ++i) {
                              store_loss(args.outputs[0] + (first + i) * scores_.item(), sums[i],
                                         load<T>(block.x + i * block.x_stride + offsets[i]));
                            }
                          });
  }
};

template <class T>
class NllGradient final : public Labelled {
 public:
  explicit NllGradient(const StepSpec& spec)
      : Labelled(spec), shares_(overwrites(spec, 0)), with_loss_(spec.output_dtypes.size() > 1) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const bool fits =
        plan(inputs[0], inputs[1]) && same_shape(inputs[1], inputs[2]) &&
        same_shape(inputs[0], outputs[0]) && outputs[0].contiguous() &&
        (!shares_ || same_layout(inputs[0], outputs[0])) &&
        (!with_loss_ || (same_shape(inputs[1], outputs[1]) && outputs[1].contiguous()));
    if (!fits) return Status::bad_plan("[nll_gradient] x, y, g and out must fit");
    weight_stride_ = inputs[2].strides[0];
    rows_ = outputs[0].shape[0];
    return {};
  }
  std::size_t workspace_bytes() const override { return scores_.workspace_bytes(); }
  double cost() const override { return row_cost(with_loss_ ? 1.1 : 1.0); }

  Status run(const RunArgs& args) noexcept override {
    const std::byte* x = scores_.ready(args.inputs[0], args.workspace);
    const std::int64_t row_bytes = scores_.classes() * scores_.item();
    std::fill(args.outputs[0] + labels_.count() * row_bytes, args.outputs[0] + rows_ * row_bytes,
              std::byte{0});
    return for_each_group(args.inputs[1], [&](std::int64_t first, std::int64_t rows,
                                              const std::int64_t* offsets) {
      RowBlock block = block_of(x, first, rows);
      block.out = args.outputs[0] + first * row_bytes;
      block.out_stride = row_bytes;
      double weights[kGroup];
      T scores[kGroup];
      ExpSum sums[kGroup];
      for (std::int64_t i = 0; i < rows; ++i) {
        weights[i] = static_cast<double>(load<T>(args.inputs[2] + (first + i) * weight_stride_));
        scores[i] = load<T>(block.x + i * block.x_stride + offsets[i]);
      }
      functions_.softmax(block, weights, sums);
      for (std::int64_t i = 0; i < rows; ++i) {
        std::byte* const at = block.out + i * row_bytes + offsets[i];
        store(at, load<T>(at) - static_cast<T>(weights[i]));
      }
      if (!with_loss_) return;
      functions_.log_sums(sums, rows);
      for (std::int64_t i = 0; i < rows; ++i) {
        store_loss(args.outputs[1] + (first + i) * scores_.item(), sums[i], scores[i]);
      }
    });
  }

 private:
  bool shares_;
  bool with_loss_;
  std::int64_t weight_stride_ = 0;
  std::int64_t rows_ = 0;
};

bool well_formed(const StepSpec& spec, std::size_t inputs, int out_ndim, std::size_t outputs = 1) {
  if (spec.input_dtypes.size() != inputs || spec.output_dtypes.size() != outputs) return false;
  const DType dtype = spec.input_dtypes[0];
  return (dtype == DType::kFloat32 || dtype == DType::kFloat64) &&
         is_index_dtype(spec.input_dtypes[1]) && spec.input_ndims[0] == 2 &&
         spec.input_ndims[1] == 1 && spec.output_dtypes[0] == dtype &&
         spec.output_ndims[0] == out_ndim &&
         (outputs < 2 || (spec.output_dtypes[1] == dtype && spec.output_ndims[1] == 1)) &&
         (inputs < 3 || (spec.input_dtypes[2] == dtype && spec.input_ndims[2] == 1));
}

template <template <class> class Made>
std::unique_ptr<Kernel> make(const StepSpec& spec) {
  if (spec.input_dtypes[0] == DType::kFloat32) return std::make_unique<Made<float>>(spec);
  return std::make_unique<Made<double>>(spec);
}

std::unique_ptr<Kernel> make_nll(const StepSpec& spec, Status& status) {
  if (well_formed(spec, 2, 1) && shares_only(spec, {})) return make<Nll>(spec);
  status = Status::bad_plan("[nll] x a real matrix, y an integer vector, out a vector as x");
  return nullptr;
}

std::unique_ptr<Kernel> make_nll_gradient(const StepSpec& spec, Status& status) {
  if (well_formed(spec, 3, 2) && shares_only(spec, {0})) return make<NllGradient>(spec);
  status = Status::bad_plan("[nll_gradient] x and out real matrices, y integers, g as x");
  return nullptr;
}

std::unique_ptr<Kernel> make_nll_with_gradient(const StepSpec& spec, Status& status) {
  if (well_formed(spec, 3, 2, 2) && shares_only(spec, {0})) return make<NllGradient>(spec);
  status = Status::bad_plan(
      "[nll_with_gradient] x and out real matrices, y integers, g and loss vectors as x");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"nll", &make_nll},
                                    {"nll_gradient", &make_nll_gradient},
                                    {"nll_with_gradient", &make_nll_with_gradient}};

}  // namespace

std::span<const KernelEntry> nll_kernels() { return kEntries; }

}  // namespace arignote
