// Steps that read or write elements by position: take, pick and place, as in cpp/kernels.
#include "kernels/index.hpp"

#include <memory>

#include "backend/axes.hpp"
#include "backend/copy.hpp"
#include "backend/indices.hpp"
#include "backend/table.hpp"
#include "kernels/index_operand.hpp"

namespace arignote::device {

namespace {

constexpr double kNanoseconds = 10'000;

// The elements that index arrays mean, each a row of all that follows.
class Take final : public Kernel {
 public:
  explicit Take(std::size_t arrays) : arrays_(arrays) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& x = inputs[0];
    const Layout& out = outputs[0];
    const int leading = inputs[1].ndim;
    if (!out.contiguous() || !indices_.plan(inputs.subspan(1), x) ||
        out.ndim != leading + x.ndim - static_cast<int>(arrays_)) {
      return Status::bad_plan("[take] out must be contiguous, of shape index.shape + x.shape[k:]");
    }
    Axes<1> row;
    for (auto axis = static_cast<int>(arrays_); axis < x.ndim; ++axis) {
      row.add(x.shape[axis], {x.strides[axis]});
    }
    args_.row = row.size();
    row.join();
    args_.axes = walk_axes(row);
    item_ = size_of(x.dtype);
    return {};
  }
  double cost() const override { return kNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    DeviceSession& session = session_of(args);
    TakeArgs take = args_;
    take.index = indices_.at(args.inputs.subspan(1));
    take.x = args.inputs[0];
    take.out = args.outputs[0];
    take.fault = session.fault();
    if (const Status status = Indices::check(take.index, session); !status.ok()) return status;
    return status_of(launch_take(take, item_, session.stream()));
  }

 private:
  std::size_t arrays_;
  Indices indices_;
  TakeArgs args_{};
  std::size_t item_ = 0;
};

std::unique_ptr<Kernel> make_take(const StepSpec& spec, Status& status) {
  if (!is_index_step(spec, 1) || spec.ints.size() != 1 || !shares_only(spec, {})) {
    status = Status::bad_plan("[take] x, k index arrays, out of x's dtype; ints = [k]");
    return nullptr;
  }
  return std::make_unique<Take>(static_cast<std::size_t>(spec.ints[0]));
}

class Pick final : public Kernel {
 public:
  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!indices_.plan_rows(inputs[1], inputs[0]) || !same_shape(inputs[1], outputs[0]) ||
        !outputs[0].contiguous()) {
      return Status::bad_plan("[pick] x must have a row for each position, and out an element");
    }
    args_.row = 1;
    item_ = size_of(inputs[0].dtype);
    return {};
  }
  double cost() const override { return kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    DeviceSession& session = session_of(args);
    TakeArgs take = args_;
    take.index = indices_.at(args.inputs.subspan(1));
    take.x = args.inputs[0];
    take.out = args.outputs[0];
    take.fault = session.fault();
    if (const Status status = Indices::check(take.index, session); !status.ok()) return status;
    return status_of(launch_take(take, item_, session.stream()));
  }

 private:
  Indices indices_;
  TakeArgs args_{};
  std::size_t item_ = 0;
};

class Place final : public Kernel {
 public:
  Place(const StepSpec& spec, bool adds) : shares_(overwrites(spec, 0)) { args_.adds = adds; }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& v = inputs[2];
    if (!same_shape(inputs[0], outputs[0]) || !base_.plan(outputs[0], inputs[0]) ||
        (shares_ && !same_layout(inputs[0], outputs[0])) ||
        !indices_.plan_rows(inputs[1], outputs[0]) ||
        (v.shape[0] != 1 && v.shape[0] != inputs[1].shape[0])) {
      return Status::bad_plan("[place] x and out must fit, and have a row for each position of v");
    }
    args_.v_step = v.shape[0] == 1 ? 0 : v.strides[0];
    args_.dtype = v.dtype;
    return {};
  }
  double cost() const override { return kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    DeviceSession& session = session_of(args);
    PlaceArgs place = args_;
    place.index = indices_.at(args.inputs.subspan(1, 1));
    place.v = args.inputs[2];
    place.out = args.outputs[0];
    place.fault = session.fault();
    Status status = Indices::check(place.index, session);
    if (status.ok() && !shares_) status = base_.run(args.outputs[0], args.inputs[0], session);
    return status.ok() ? status_of(launch_place(place, session.stream())) : status;
  }

 private:
  Indices indices_;
  Copy base_;
  PlaceArgs args_{};
  bool shares_;
};

bool is_matrix_step(const StepSpec& spec, std::size_t inputs, int out_ndim) {
  return spec.input_dtypes.size() == inputs && spec.output_dtypes.size() == 1 &&
         is_index_dtype(spec.input_dtypes[1]) && spec.input_ndims[0] == 2 &&
         spec.input_ndims[1] == 1 && spec.output_dtypes[0] == spec.input_dtypes[0] &&
         spec.output_ndims[0] == out_ndim;
}

std::unique_ptr<Kernel> make_pick(const StepSpec& spec, Status& status) {
  if (is_matrix_step(spec, 2, 1) && shares_only(spec, {})) return std::make_unique<Pick>();
  status = Status::bad_plan("[pick] x a matrix, y an integer vector, out a vector as x");
  return nullptr;
}

std::unique_ptr<Kernel> make_place(const StepSpec& spec, Status& status) {
  if (is_matrix_step(spec, 3, 2) && spec.input_dtypes[2] == spec.input_dtypes[0] &&
      spec.input_ndims[2] == 1 && spec.ints.size() == 1 &&
      (spec.ints[0] == 0 || (spec.ints[0] == 1 && spec.input_dtypes[0] <= DType::kFloat64)) &&
      shares_only(spec, {0})) {
    return std::make_unique<Place>(spec, spec.ints[0] == 1);
  }
  status = Status::bad_plan(
      "[place] x and out matrices, y integers, v a vector as x (increments: numbers); ints = [0 or "
      "1]");
  return nullptr;
}

constexpr KernelEntry kIndex[] = {{"take", make_take}, {"pick", make_pick}, {"place", make_place}};

}  // namespace

std::span<const KernelEntry> index_kernels() { return kIndex; }

}  // namespace arignote::device
