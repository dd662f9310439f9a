// The kernel "put" of the device: see cpp/kernels/put.cpp for what it does.
#include "kernels/put.hpp"

#include <memory>

#include "backend/copy.hpp"
#include "backend/indices.hpp"
#include "backend/table.hpp"
#include "kernels/index_operand.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 20'000;

// The axes from `first` on.
Layout row_of(const Layout& layout, int first) {
  Layout row{.dtype = layout.dtype, .ndim = layout.ndim - first};
  for (int axis = 0; axis < row.ndim; ++axis) {
    row.shape[axis] = layout.shape[first + axis];
    row.strides[axis] = layout.strides[first + axis];
  }
  return row;
}

class Put final : public Kernel {
 public:
  explicit Put(const StepSpec& spec) : shares_(overwrites(spec, 0)) {
    args_.dtype = spec.output_dtypes[0];
    args_.adds = spec.ints[1] == 1;
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& out = outputs[0];
    if (!same_shape(inputs[0], out) || !base_.plan(out, inputs[0]) ||
        (shares_ && !same_layout(inputs[0], out))) {
      return Status::bad_plan("[put] x and out must have the same shape");
    }
    const auto indices = inputs.subspan(2);
    if (!indices_.plan(indices, out) ||
        !plan_values(inputs[1], indices[0], row_of(out, static_cast<int>(indices.size())))) {
      return Status::bad_plan("[put] v must fit the shape index.shape + x.shape[k:]");
    }
    count_ = indices[0].size();
    return {};
  }
  std::size_t workspace_bytes() const override {
    return 2 * static_cast<std::size_t>(count_) * sizeof(Move);
  }
  double cost() const override { return kNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    DeviceSession& session = session_of(args);
    PutArgs put = args_;
    put.index = indices_.at(args.inputs.subspan(2));
    put.row = row_.at(args.outputs[0], args.inputs[1], session);
    put.moves = reinterpret_cast<Move*>(args.workspace);
    Status status = Indices::check(put.index, session);
    if (status.ok() && !shares_) status = base_.run(args.outputs[0], args.inputs[0], session);
    return status.ok() ? status_of(launch_put(put, session.stream())) : status;
  }

 private:
  bool plan_values(const Layout& v, const Layout& index, const Layout& out_row) {
    if (v.ndim != index.ndim + out_row.ndim) return false;
    for (int axis = 0; axis < index.ndim; ++axis) {
      if (v.shape[axis] != index.shape[axis] && v.shape[axis] != 1) return false;
      args_.v_strides[axis] = v.shape[axis] == 1 ? 0 : v.strides[axis];
    }
    return row_.plan(out_row, row_of(v, index.ndim));
  }

  bool shares_;
  Indices indices_;
  Copy base_;
  Copy row_;
  PutArgs args_{};
  std::int64_t count_ = 0;
};

std::unique_ptr<Kernel> make_put(const StepSpec& spec, Status& status) {
  const bool fits =
      is_index_step(spec, 2) && spec.ints.size() == 2 &&
      spec.input_dtypes[1] == spec.output_dtypes[0] &&
      spec.output_ndims[0] == spec.input_ndims[0] &&
      (spec.ints[1] == 0 || (spec.ints[1] == 1 && spec.output_dtypes[0] <= DType::kFloat64)) &&
      shares_only(spec, {0});
  if (fits) return std::make_unique<Put>(spec);
  status = Status::bad_plan(
      "[put] x, v, k index arrays, out of x's dtype (increments: a number); ints = [k, 0 or 1]");
  return nullptr;
}

constexpr KernelEntry kPut[] = {{"put", make_put}};

}  // namespace

std::span<const KernelEntry> put_kernels() { return kPut; }

}  // namespace arignote::device
