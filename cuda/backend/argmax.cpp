// The kernels "argmax" and "argmin" of the device: see cpp/kernels/argmax.cpp for what they find.
#include "kernels/argmax.hpp"

#include <array>
#include <cstdlib>
#include <memory>

#include "backend/axes.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"
#include "kernels/lanes.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

// So many results that lie side by side are work enough without lanes.
constexpr std::int64_t kManyResults = 1024;

class ArgExtreme final : public Kernel {
 public:
  ArgExtreme(const StepSpec& spec, bool is_minimum) {
    args_.dtype = spec.input_dtypes[0];
    args_.is_minimum = is_minimum;
    for (const std::int64_t axis : spec.ints) reduces_[axis] = true;
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& x = inputs[0];
    Axes<1> kept;
    Axes<1> reduced;
    int out_axis = 0;
    for (int axis = 0; axis < x.ndim; ++axis) {
      (reduces_[axis] ? reduced : kept).add(x.shape[axis], {x.strides[axis]});
      if (!reduces_[axis] && x.shape[axis] != outputs[0].shape[out_axis++]) {
        return Status::bad_plan("[argmax] out must have the shape of the axes that are kept");
      }
    }
    args_.results = kept.size();
    args_.length = reduced.size();
    if (args_.length == 0 && args_.results > 0) {
      return Status::bad_plan("[argmax] the reduced axes must not be empty");
    }
    kept.join();
    reduced.join();
    args_.kept = walk_axes(kept);
    args_.reduced = walk_axes(reduced);
    const bool is_by_columns = args_.results >= kManyResults &&
                               std::abs(kept.run_stride(0)) < std::abs(reduced.run_stride(0));
    args_.lanes = is_by_columns ? 1 : lanes_for(args_.length, args_.results);
    return {};
  }
  double cost() const override { return kNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    args_.x = args.inputs[0];
    args_.out = reinterpret_cast<std::int64_t*>(args.outputs[0]);
    args_.fault = session_of(args).fault();
    return status_of(launch_argmax(args_, session_of(args).stream()));
  }

 private:
  std::array<bool, kMaxDims> reduces_{};
  ArgmaxArgs args_{};
};

bool well_formed(const StepSpec& spec) {
  if (spec.input_dtypes.size() != 1 || spec.output_dtypes.size() != 1 ||
      spec.output_dtypes[0] != DType::kInt64 || !shares_only(spec, {}) ||
      !visit_num(spec.input_dtypes[0], [](auto) {})) {
    return false;
  }
  std::int64_t last = -1;
  for (const std::int64_t axis : spec.ints) {
    if (axis <= last || axis >= spec.input_ndims[0]) return false;
    last = axis;
  }
  return spec.output_ndims[0] == spec.input_ndims[0] - static_cast<int>(spec.ints.size());
}

template <bool kIsMinimum>
std::unique_ptr<Kernel> make_arg_extreme(const StepSpec& spec, Status& status) {
  if (well_formed(spec)) return std::make_unique<ArgExtreme>(spec, kIsMinimum);
  status = Status::bad_plan("[argmax] a number array x, int64 out, ints = ascending axes of x");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"argmax", make_arg_extreme<false>},
                                    {"argmin", make_arg_extreme<true>}};

}  // namespace

std::span<const KernelEntry> argmax_kernels() { return kEntries; }

}  // namespace arignote::device
