// The kernel "uniform" of the device: see cpp/kernels/random.cpp.
#include "kernels/random.hpp"

#include <memory>

#include "backend/session.hpp"
#include "backend/table.hpp"
#include "kernels/strided.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;
constexpr std::int64_t kStateWords = 3;

class Uniform final : public Kernel {
 public:
  explicit Uniform(DType dtype) { args_.dtype = dtype; }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (inputs[0].shape[0] != kStateWords || outputs[1].shape[0] != kStateWords) {
      return Status::bad_plan("[uniform] state and next must have three elements");
    }
    args_.stride = inputs[0].strides[0];
    args_.count = outputs[0].size();
    return {};
  }
  double cost() const override { return kNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    args_.state = args.inputs[0];
    args_.out = args.outputs[0];
    args_.next = reinterpret_cast<std::uint64_t*>(args.outputs[1]);
    args_.fault = session_of(args).fault();
    return status_of(launch_uniform(args_, session_of(args).stream()));
  }

 private:
  UniformArgs args_{};
};

std::unique_ptr<Kernel> make_uniform(const StepSpec& spec, Status& status) {
  if (spec.input_dtypes == std::vector{DType::kUInt64} && spec.input_ndims[0] == 1 &&
      spec.output_dtypes.size() == 2 && spec.output_dtypes[1] == DType::kUInt64 &&
      spec.output_ndims[1] == 1 && shares_only(spec, {}) &&
      (spec.output_dtypes[0] == DType::kFloat32 || spec.output_dtypes[0] == DType::kFloat64)) {
    return std::make_unique<Uniform>(spec.output_dtypes[0]);
  }
  status = Status::bad_plan("[uniform] uint64 vectors state and next, out float32 or float64");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"uniform", make_uniform}};

}  // namespace

std::span<const KernelEntry> random_kernels() { return kEntries; }

}  // namespace arignote::device
