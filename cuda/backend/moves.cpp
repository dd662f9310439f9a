// Steps that move elements on the device without computing with them, but for sums: copy, join,
// ifelse, arange, slice_update; as in cpp/kernels.
#include <algorithm>
#include <memory>
#include <vector>

#include "backend/copy.hpp"
#include "backend/table.hpp"
#include "kernels/region.hpp"
#include "kernels/strided.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

bool have_dtype(std::span<const DType> dtypes, DType dtype) {
  return std::ranges::all_of(dtypes, [&](DType own) { return own == dtype; });
}

bool is_real(DType dtype) { return dtype <= DType::kFloat64; }

class CopyStep final : public Kernel {
 public:
  explicit CopyStep(const StepSpec& spec) : shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    return same_shape(inputs[0], outputs[0]) && copy_.plan(outputs[0], inputs[0])
               ? Status{}
               : Status::bad_plan("[copy] x and out must have the same shape");
  }
  double cost() const override { return kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    if (shares_) return {};
    return copy_.run(args.outputs[0], args.inputs[0], session_of(args));
  }

 private:
  bool shares_;
  Copy copy_;
};

std::unique_ptr<Kernel> make_copy(const StepSpec& spec, Status& status) {
  if (spec.input_dtypes.size() == 1 && spec.input_dtypes == spec.output_dtypes) {
    return std::make_unique<CopyStep>(spec);
  }
  status = Status::bad_plan("[copy] one input and one output of the same dtype");
  return nullptr;
}

// The condition lies on the host.
class IfElse final : public Kernel {
 public:
  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    for (std::size_t branch = 0; branch < 2; ++branch) {
      fits_[branch] = same_shape(inputs[branch + 1], outputs[0]) &&
                      branches_[branch].plan(outputs[0], inputs[branch + 1]);
    }
    return {};
  }
  double cost() const override { return kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    const std::size_t branch = *args.inputs[0] != std::byte{0} ? 0 : 1;
    if (!fits_[branch]) {
      return Status::bad_plan("[ifelse] the chosen branch must have out's shape");
    }
    return branches_[branch].run(args.outputs[0], args.inputs[branch + 1], session_of(args));
  }

 private:
  Copy branches_[2];
  bool fits_[2] = {false, false};
};

std::unique_ptr<Kernel> make_ifelse(const StepSpec& spec, Status& status) {
  if (spec.input_dtypes.size() == 3 && spec.input_dtypes[0] == DType::kBool &&
      spec.input_ndims[0] == 0 &&
      have_dtype(std::span(spec.input_dtypes).subspan(1), spec.output_dtypes[0])) {
    return std::make_unique<IfElse>();
  }
  status = Status::bad_plan("[ifelse] a 0-d bool c, and a, b, out of the same dtype");
  return nullptr;
}

class Join final : public Kernel {
 public:
  Join(std::size_t axis, std::size_t parts) : axis_(axis), parts_(parts) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    constexpr const char* kFit =
        "[join] inputs must fit out on every axis, and fill it on the joined";
    Layout piece = outputs[0];
    std::int64_t start = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      piece.shape[axis_] = inputs[i].shape[axis_];
      if (!same_shape(inputs[i], piece)) return Status::bad_plan(kFit);
      parts_[i].copy.plan(piece, inputs[i]);
      parts_[i].offset = start * piece.strides[axis_];
      start += piece.shape[axis_];
    }
    return start == outputs[0].shape[axis_] ? Status{} : Status::bad_plan(kFit);
  }
  double cost() const override { return kNanoseconds * static_cast<double>(parts_.size()); }
  Status run(const RunArgs& args) noexcept override {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      std::byte* const to = args.outputs[0] + parts_[i].offset;
      const Status status = parts_[i].copy.run(to, args.inputs[i], session_of(args));
      if (!status.ok()) return status;
    }
    return {};
  }

 private:
  struct Part {
    Copy copy;
    std::int64_t offset = 0;
  };
  std::size_t axis_;
  std::vector<Part> parts_;
};

std::unique_ptr<Kernel> make_join(const StepSpec& spec, Status& status) {
  if (!spec.input_dtypes.empty() && have_dtype(spec.input_dtypes, spec.output_dtypes[0]) &&
      shares_only(spec, {}) && spec.ints.size() == 1 && spec.ints[0] >= 0 &&
      spec.ints[0] < spec.output_ndims[0]) {
    return std::make_unique<Join>(static_cast<std::size_t>(spec.ints[0]), spec.input_dtypes.size());
  }
  status = Status::bad_plan("[join] inputs of out's dtype, ints = [axis], no shared storage");
  return nullptr;
}

class Arange final : public Kernel {
 public:
  Status bind(std::span<const Layout>, std::span<const Layout> outputs) override {
    args_.count = outputs[0].shape[0];
    args_.out_step = outputs[0].strides[0];
    args_.dtype = outputs[0].dtype;
    return {};
  }
  double cost() const override { return kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    args_.start = args.inputs[0];
    args_.step = args.inputs[1];
    args_.out = args.outputs[0];
    args_.fault = session_of(args).fault();
    return status_of(launch_arange(args_, session_of(args).stream()));
  }

 private:
  ArangeArgs args_{};
};

std::unique_ptr<Kernel> make_arange(const StepSpec& spec, Status& status) {
  if (spec.input_dtypes.size() == 2 && have_dtype(spec.input_dtypes, spec.output_dtypes[0]) &&
      is_real(spec.output_dtypes[0]) && shares_only(spec, {}) && spec.input_ndims[0] == 0 &&
      spec.input_ndims[1] == 0 && spec.output_ndims[0] == 1) {
    return std::make_unique<Arange>();
  }
  status = Status::bad_plan("[arange] 0-d start and step of out's dtype, out 1-d");
  return nullptr;
}

class SliceUpdate final : public Kernel {
 public:
  SliceUpdate(const StepSpec& spec, bool adds) : change_(adds), shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!same_shape(inputs[0], outputs[0]) || !base_.plan(outputs[0], inputs[0]) ||
        inputs[1].ndim != outputs[0].ndim || (shares_ && !same_layout(inputs[0], outputs[0]))) {
      return Status::bad_plan("[slice_update] x and out must have the same shape, v their ndim");
    }
    out_ = outputs[0];
    v_ = inputs[1];
    return {};
  }
  double cost() const override { return 2 * kNanoseconds; }
  Status run(const RunArgs& args) noexcept override {
    Region region;
    if (const Status status = region.cut(out_, args.dims); !status.ok()) return status;
    if (!change_.plan(region.layout, v_)) {
      return Status::bad_plan("[slice_update] v must fit the region");
    }
    DeviceSession& session = session_of(args);
    const Status status = shares_ ? Status{} : base_.run(args.outputs[0], args.inputs[0], session);
    if (!status.ok()) return status;
    return change_.run(args.outputs[0] + region.offset, args.inputs[1], session);
  }

 private:
  Copy base_;
  Copy change_;
  bool shares_;
  Layout out_;
  Layout v_;
};

std::unique_ptr<Kernel> make_slice_update(const StepSpec& spec, Status& status) {
  const bool fits = spec.input_dtypes.size() == 2 && spec.output_dtypes.size() == 1 &&
                    spec.ints.size() == 1 && (spec.ints[0] == 0 || spec.ints[0] == 1) &&
                    have_dtype(spec.input_dtypes, spec.output_dtypes[0]) && shares_only(spec, {0});
  if (fits && (spec.ints[0] == 0 || is_real(spec.output_dtypes[0]))) {
    return std::make_unique<SliceUpdate>(spec, spec.ints[0] == 1);
  }
  status = Status::bad_plan(
      "[slice_update] x, v, out of one dtype (a number for increments); ints = [0 or 1]");
  return nullptr;
}

constexpr KernelEntry kMoves[] = {{"copy", make_copy},
                                  {"ifelse", make_ifelse},
                                  {"join", make_join},
                                  {"arange", make_arange},
                                  {"slice_update", make_slice_update}};

}  // namespace

std::span<const KernelEntry> move_kernels() { return kMoves; }

}  // namespace arignote::device
