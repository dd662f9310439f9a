// Steps that read elements by position: take and pick, as in cpp/kernels.
#include "backend/index.hpp"

#include <algorithm>
#include <memory>

#include "backend/table.hpp"
#include "kernels/index_operand.hpp"

namespace arignote::device {

bool Indices::plan(std::span<const Layout> indices, const Layout& array) {
  if (indices.size() > static_cast<std::size_t>(array.ndim)) return false;
  const Layout& first = indices[0];
  args_.count = first.size();
  args_.arrays = static_cast<int>(indices.size());
  args_.ndim = first.ndim;
  std::copy_n(first.shape.begin(), first.ndim, args_.shape);
  for (std::size_t j = 0; j < indices.size(); ++j) {
    if (!same_shape(indices[j], first)) return false;
    std::copy_n(indices[j].strides.begin(), first.ndim, args_.strides[j]);
    args_.dtypes[j] = indices[j].dtype;
    args_.lengths[j] = array.shape[j];
    args_.steps[j] = array.strides[j];
  }
  return true;
}

IndexArgs Indices::at(std::span<std::byte* const> data) const {
  IndexArgs args = args_;
  std::copy(data.begin(), data.end(), args.data);
  return args;
}

Status Indices::check(const IndexArgs& args, DeviceSession& session) {
  session.expect_fault();
  return status_of(launch_check(args, session.step(), session.fault(), session.stream()));
}

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
    args_.row = 1;
    args_.ndim = 0;
    for (auto axis = static_cast<int>(arrays_); axis < x.ndim; ++axis) {
      args_.shape[args_.ndim] = x.shape[axis];
      args_.strides[args_.ndim++] = x.strides[axis];
      args_.row *= x.shape[axis];
    }
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

constexpr KernelEntry kIndex[] = {{"take", make_take}};

}  // namespace

std::span<const KernelEntry> index_kernels() { return kIndex; }

}  // namespace arignote::device
