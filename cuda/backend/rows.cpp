// The kernels "softmax" and "log_softmax" of the device, and those of the negative log-likelihood:
// see cpp/kernels/nnet.cpp and nll.cpp for what they compute.
#include "kernels/rows.hpp"

#include <memory>

#include "backend/indices.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"
#include "kernels/likelihood.hpp"
#include "kernels/strided.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

bool is_real(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

// Rows along the last axis of x, and of out unless there is none.
RowsArgs rows_of(const Layout& x, const Layout* out, RowWork work) {
  const int last = x.ndim - 1;
  RowsArgs args{};
  args.dtype = x.dtype;
  args.work = work;
  args.length = x.shape[last];
  args.x_step = x.strides[last];
  args.out_step = out == nullptr ? 0 : out->strides[last];
  Axes<2> axes;
  for (int axis = 0; axis < last; ++axis) {
    axes.add(x.shape[axis], {x.strides[axis], out == nullptr ? 0 : out->strides[axis]});
  }
  args.rows = axes.size();
  axes.join();
  args.ndim = axes.ndim;
  for (int axis = 0; axis < axes.ndim; ++axis) {
    args.shape[axis] = axes.shape[axis];
    args.x_strides[axis] = axes.strides[axis][0];
    args.out_strides[axis] = axes.strides[axis][1];
  }
  return args;
}

class Softmax final : public Kernel {
 public:
  Softmax(const StepSpec& spec, RowWork work) : work_(work), shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!same_shape(inputs[0], outputs[0]) || (shares_ && !same_layout(inputs[0], outputs[0]))) {
      return Status::bad_plan("[softmax] x and out must have the same shape");
    }
    args_ = rows_of(inputs[0], outputs.data(), work_);
    return {};
  }
  double cost() const override { return kNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    args_.x = args.inputs[0];
    args_.out = args.outputs[0];
    args_.fault = session_of(args).fault();
    return status_of(launch_rows(args_, {}, session_of(args).stream()));
  }

 private:
  RowWork work_;
  bool shares_;
  RowsArgs args_{};
};

// nll has the outputs (loss), nll_gradient (out), nll_with_gradient (out, loss).
class Likelihood final : public Kernel {
 public:
  Likelihood(const StepSpec& spec, bool has_gradient)
      : has_gradient_(has_gradient),
        loss_(!has_gradient                   ? 0
              : spec.output_dtypes.size() > 1 ? 1
                                              : -1),
        shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& x = inputs[0];
    const Layout& y = inputs[1];
    const bool fits =
        indices_.plan_rows(y, x) &&
        (loss_ < 0 || (same_shape(y, outputs[loss_]) && outputs[loss_].contiguous())) &&
        (!has_gradient_ || (same_shape(y, inputs[2]) && same_shape(x, outputs[0]) &&
                            (!shares_ || same_layout(x, outputs[0]))));
    if (!fits) return Status::bad_plan("[nll] x, y, g, out and loss must fit");
    args_ = rows_of(x, has_gradient_ ? outputs.data() : nullptr,
                    has_gradient_ ? RowWork::kNllGradient : RowWork::kNll);
    if (!has_gradient_) args_.rows = y.shape[0];
    labels_.weight_stride = has_gradient_ ? inputs[2].strides[0] : 0;
    return {};
  }
  double cost() const override { return 2 * kNanoseconds; }
  std::size_t seen_bytes() const override {
    return has_gradient_ ? static_cast<std::size_t>(args_.rows) * sizeof(RowSeen) : 0;
  }

  Status run(const RunArgs& args) noexcept override {
    DeviceSession& session = session_of(args);
    labels_.index = indices_.at(args.inputs.subspan(1, 1));
    const ColumnPart* const part = args.part;
    if (part != nullptr) labels_.index.lengths[0] = part->all;
    if (part == nullptr || (part->first == 0 && !part->is_observed)) {
      const Status status = Indices::check(labels_.index, session);
      if (!status.ok()) return status;
    }
    args_.x = args.inputs[0];
    args_.out = has_gradient_ ? args.outputs[0] : nullptr;
    args_.fault = session.fault();
    labels_.weights = has_gradient_ ? args.inputs[2] : nullptr;
    labels_.losses = loss_ >= 0 ? args.outputs[loss_] : nullptr;
    if (part == nullptr) return status_of(launch_rows(args_, labels_, session.stream()));
    const RowPart own{.first = part->first,
                      .is_observed = part->is_observed,
                      .seen = reinterpret_cast<RowSeen*>(part->seen)};
    return status_of(launch_part(args_, labels_, own, session.stream()));
  }

 private:
  bool has_gradient_;
  int loss_;  // number of the output, -1: none
  bool shares_;
  Indices indices_;
  RowsArgs args_{};
  RowLabels labels_{};
};

template <RowWork kWork>
std::unique_ptr<Kernel> make_softmax(const StepSpec& spec, Status& status) {
  const bool fits = spec.input_dtypes.size() == 1 && spec.output_dtypes == spec.input_dtypes &&
                    is_real(spec.input_dtypes[0]) && spec.input_ndims[0] >= 1 &&
                    spec.output_ndims == spec.input_ndims;
  if (fits) return std::make_unique<Softmax>(spec, kWork);
  status = Status::bad_plan("[softmax] x and out float32 or float64, with an axis at least");
  return nullptr;
}

template <bool kHasGradient, bool kHasLosses>
std::unique_ptr<Kernel> make_likelihood(const StepSpec& spec, Status& status) {
  if (is_likelihood(spec, kHasGradient, kHasLosses)) {
    return std::make_unique<Likelihood>(spec, kHasGradient);
  }
  status = Status::bad_plan(
      "[nll] x a real matrix, y integers, all else as x, or g and loss float32 for halves");
  return nullptr;
}

constexpr KernelEntry kRows[] = {{"softmax", make_softmax<RowWork::kSoftmax>},
                                 {"log_softmax", make_softmax<RowWork::kLogSoftmax>},
                                 {"nll", make_likelihood<false, true>},
                                 {"nll_gradient", make_likelihood<true, false>},
                                 {"nll_with_gradient", make_likelihood<true, true>}};

}  // namespace

std::span<const KernelEntry> row_kernels() { return kRows; }

}  // namespace arignote::device
