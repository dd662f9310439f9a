// Steps that move arrays from the host to the device, and back.
#include <algorithm>
#include <memory>
#include <vector>

#include "backend/copy.hpp"
#include "backend/table.hpp"
#include "kernels/transfer.hpp"
#include "runtime/binding.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

Layout dense(Layout layout) {
  make_contiguous(layout);
  return layout;
}

// Elements that lie apart are brought together before they leave the host.
class ToDevice final : public Kernel {
 public:
  explicit ToDevice(DType dtype) : transfer_(Update::kSet, dtype) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!outputs[0].contiguous()) return Status::bad_plan("to_device must write without gaps");
    bytes_ = bytes_of(inputs[0]);
    packed_.resize(inputs[0].contiguous() ? 0 : bytes_);
    if (!transfer_.plan(dense(inputs[0]), inputs[0]) || !same_shape(inputs[0], outputs[0])) {
      return Status::bad_plan("to_device must keep the shape");
    }
    return {};
  }
  double cost() const override { return kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    const std::byte* from = args.inputs[0];
    if (!packed_.empty()) {
      transfer_.run(packed_.data(), from);
      from = packed_.data();
    }
    return args.session->upload(from, args.outputs[0], bytes_);
  }

 private:
  Transfer transfer_;
  std::vector<std::byte> packed_;
  std::size_t bytes_ = 0;
};

// Elements that lie apart are brought together before they leave the device.
class ToHost final : public Kernel {
 public:
  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!outputs[0].contiguous()) return Status::bad_plan("to_host must write without gaps");
    if (!same_shape(inputs[0], outputs[0])) return Status::bad_plan("to_host must keep the shape");
    is_dense_ = inputs[0].contiguous();
    bytes_ = bytes_of(inputs[0]);
    copy_.plan(dense(inputs[0]), inputs[0]);
    return {};
  }
  std::size_t workspace_bytes() const override { return is_dense_ ? 0 : bytes_; }
  double cost() const override { return 2 * kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    const std::byte* from = args.inputs[0];
    if (!is_dense_) {
      const Status status = copy_.run(args.workspace, from, session_of(args));
      if (!status.ok()) return status;
      from = args.workspace;
    }
    return args.session->download(from, args.outputs[0], bytes_);
  }

 private:
  Copy copy_;
  bool is_dense_ = true;
  std::size_t bytes_ = 0;
};

bool is_one_to_one(const StepSpec& spec, Status& status) {
  const bool fits = spec.input_dtypes.size() == 1 && spec.output_dtypes.size() == 1 &&
                    spec.input_dtypes == spec.output_dtypes &&
                    spec.input_ndims == spec.output_ndims;
  if (!fits) status = Status::bad_plan("a transfer must go from one buffer to one of its type");
  return fits;
}

std::unique_ptr<Kernel> make_to_device(const StepSpec& spec, Status& status) {
  return is_one_to_one(spec, status) ? std::make_unique<ToDevice>(spec.input_dtypes[0]) : nullptr;
}

std::unique_ptr<Kernel> make_to_host(const StepSpec& spec, Status& status) {
  return is_one_to_one(spec, status) ? std::make_unique<ToHost>() : nullptr;
}

constexpr KernelEntry kTransfers[] = {{"to_device", make_to_device}, {"to_host", make_to_host}};

}  // namespace

std::span<const KernelEntry> transfer_kernels() { return kTransfers; }

}  // namespace arignote::device
