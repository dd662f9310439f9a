// The kernel "nonzero" of the device. How many elements are not zero has been counted before: the
// outputs have that length.
#include "kernels/nonzero.hpp"

#include <algorithm>
#include <memory>

#include "backend/axes.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 15'000;

class Nonzero final : public Kernel {
 public:
  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& x = inputs[0];
    args_.length = outputs[0].shape[0];
    Axes<1> axes;
    for (int axis = 0; axis < x.ndim; ++axis) {
      axes.add(x.shape[axis], {x.strides[axis]});
      if (!outputs[axis].contiguous() || outputs[axis].shape[0] != args_.length) {
        return Status::bad_plan("[nonzero] outputs must be contiguous and of one length");
      }
    }
    args_.count = axes.size();
    args_.dtype = x.dtype;
    args_.ndim = x.ndim;
    std::copy_n(x.shape.begin(), x.ndim, args_.shape);
    axes.join();
    args_.walk = walk_axes(axes);
    return {};
  }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(nonzero_blocks(args_.count)) * sizeof(std::int64_t);
  }
  double cost() const override { return kNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    DeviceSession& session = session_of(args);
    args_.x = args.inputs[0];
    args_.fault = session.fault();
    args_.starts = reinterpret_cast<std::int64_t*>(args.workspace);
    for (int axis = 0; axis < args_.ndim; ++axis) {
      args_.outputs[axis] = reinterpret_cast<std::int64_t*>(args.outputs[axis]);
    }
    session.expect_fault();
    return status_of(launch_nonzero(args_, session.origin().step, session.stream()));
  }

 private:
  NonzeroArgs args_{};
};

std::unique_ptr<Kernel> make_nonzero(const StepSpec& spec, Status& status) {
  const bool fits =
      spec.input_dtypes.size() == 1 && spec.input_dtypes[0] <= DType::kFloat64 &&
      spec.input_ndims[0] >= 1 && shares_only(spec, {}) &&
      spec.output_dtypes.size() == static_cast<std::size_t>(spec.input_ndims[0]) &&
      std::ranges::all_of(spec.output_dtypes, [](DType own) { return own == DType::kInt64; }) &&
      std::ranges::all_of(spec.output_ndims, [](int ndim) { return ndim == 1; });
  if (fits) return std::make_unique<Nonzero>();
  status = Status::bad_plan("[nonzero] a number array x, and an int64 vector for each of its axes");
  return nullptr;
}

constexpr KernelEntry kNonzero[] = {{"nonzero", make_nonzero}};

}  // namespace

std::span<const KernelEntry> nonzero_kernels() { return kNonzero; }

}  // namespace arignote::device
