// Kernels that move elements without looking at them, and arange.
//
//   copy    x -> out           C-contiguous copy of any strided layout
//   ifelse  c, a, b -> out     copies a or b; the other may be of another shape, or not computed
//   join    x0, x1, … -> out   ints = [axis]
//   arange  start, step -> out
#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

bool same_dtypes(const StepSpec& spec, std::size_t first_input) {
  return spec.output_dtypes.size() == 1 &&
         std::all_of(spec.input_dtypes.begin() + static_cast<std::ptrdiff_t>(first_input),
                     spec.input_dtypes.end(),
                     [&](DType dtype) { return dtype == spec.output_dtypes[0]; });
}

class Copy final : public Kernel {
 public:
  explicit Copy(const StepSpec& spec)
      : transfer_(Update::kSet, spec.output_dtypes[0]), shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!same_shape(inputs[0], outputs[0]) || !transfer_.plan(outputs[0], inputs[0]) ||
        (shares_ && !same_layout(inputs[0], outputs[0]))) {
      return Status::bad_plan("[copy] x and out must have the same shape");
    }
    return {};
  }
  double cost() const override { return transfer_.cost(); }
  Status run(const RunArgs& args) noexcept override {
    if (!shares_) transfer_.run(args.outputs[0], args.inputs[0]);
    return {};
  }

 private:
  Transfer transfer_;
  bool shares_;
};

std::unique_ptr<Kernel> make_copy(const StepSpec& spec, Status& status) {
  if (spec.input_dtypes.size() != 1 || !same_dtypes(spec, 0)) {
    status = Status::bad_plan("[copy] one input and one output of the same dtype");
    return nullptr;
  }
  return std::make_unique<Copy>(spec);
}

class IfElse final : public Kernel {
 public:
  explicit IfElse(DType dtype)
      : branches_{Transfer(Update::kSet, dtype), Transfer(Update::kSet, dtype)} {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    for (std::size_t branch = 0; branch < 2; ++branch) {
      fits_[branch] = same_shape(inputs[branch + 1], outputs[0]) &&
                      branches_[branch].plan(outputs[0], inputs[branch + 1]);
    }
    return {};
  }
  double cost() const override { return branches_[fits_[0] ? 0 : 1].cost(); }
  Status run(const RunArgs& args) noexcept override {
    const std::size_t branch = *args.inputs[0] != std::byte{0} ? 0 : 1;
    if (!fits_[branch]) {
      return Status::bad_plan("[ifelse] the chosen branch must have out's shape");
    }
    branches_[branch].run(args.outputs[0], args.inputs[branch + 1]);
    return {};
  }

 private:
  Transfer branches_[2];
  bool fits_[2] = {false, false};
};

std::unique_ptr<Kernel> make_ifelse(const StepSpec& spec, Status& status) {
  if (spec.input_dtypes.size() != 3 || spec.input_dtypes[0] != DType::kBool ||
      spec.input_ndims[0] != 0 || !same_dtypes(spec, 1)) {
    status = Status::bad_plan("[ifelse] a 0-d bool c, and a, b, out of the same dtype");
    return nullptr;
  }
  return std::make_unique<IfElse>(spec.output_dtypes[0]);
}

class Join final : public Kernel {
 public:
  Join(DType dtype, std::size_t axis, std::size_t parts)
      : axis_(axis), parts_(parts, Part{Transfer(Update::kSet, dtype), 0}) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    constexpr const char* kFit =
        "[join] inputs must fit out on every axis, and fill it on the joined";
    Layout piece = outputs[0];
    std::int64_t start = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      piece.shape[axis_] = inputs[i].shape[axis_];
      if (!same_shape(inputs[i], piece)) return Status::bad_plan(kFit);
      parts_[i].transfer.plan(piece, inputs[i]);
      parts_[i].offset = start * piece.strides[axis_];
      start += piece.shape[axis_];
    }
    if (start != outputs[0].shape[axis_]) return Status::bad_plan(kFit);
    return {};
  }
  double cost() const override {
    double total = 0.0;
    for (const Part& part : parts_) total += part.transfer.cost();
    return total;
  }
  Status run(const RunArgs& args) noexcept override {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].transfer.run(args.outputs[0] + parts_[i].offset, args.inputs[i]);
    }
    return {};
  }

 private:
  struct Part {
    Transfer transfer;
    std::int64_t offset;
  };
  std::size_t axis_;
  std::vector<Part> parts_;
};

std::unique_ptr<Kernel> make_join(const StepSpec& spec, Status& status) {
  const bool well_formed = !spec.input_dtypes.empty() && same_dtypes(spec, 0) &&
                           shares_only(spec, {}) && spec.ints.size() == 1 && spec.ints[0] >= 0 &&
                           spec.ints[0] < spec.output_ndims[0];
  if (!well_formed) {
    status = Status::bad_plan("[join] inputs of out's dtype, ints = [axis], no shared storage");
    return nullptr;
  }
  return std::make_unique<Join>(spec.output_dtypes[0], static_cast<std::size_t>(spec.ints[0]),
                                spec.input_dtypes.size());
}

// out[first … last) of start + i * step: integers wrap, floats are rounded once at the end.
template <class T>
void arange_range(const std::byte* start, const std::byte* step, std::byte* out,
                  std::int64_t stride, std::int64_t first, std::int64_t last) noexcept {
  for (std::int64_t i = first; i < last; ++i) {
    T value;
    if constexpr (std::is_same_v<T, bool>) {
      value = load<std::uint8_t>(start) != 0 || (i != 0 && load<std::uint8_t>(step) != 0);
    } else if constexpr (std::is_integral_v<T>) {
      const auto product =
          static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(load<T>(step));
      value = static_cast<T>(static_cast<std::uint64_t>(load<T>(start)) + product);
    } else {
      value = static_cast<T>(static_cast<double>(load<T>(start)) +
                             static_cast<double>(i) * static_cast<double>(load<T>(step)));
    }
    store(out + i * stride, value);
  }
}

class Arange final : public Kernel {
 public:
  explicit Arange(DType dtype) : item_(static_cast<std::int64_t>(size_of(dtype))) {
    visit_real(dtype, [&]<class T>(std::type_identity<T>) { range_ = &arange_range<T>; });
  }

  Status bind(std::span<const Layout>, std::span<const Layout> outputs) override {
    length_ = outputs[0].shape[0];
    stride_ = outputs[0].strides[0];
    return {};
  }
  double cost() const override { return 10.0 + static_cast<double>(length_); }
  Status run(const RunArgs& args) noexcept override {
    parallel_ranges(length_, items_per_task(item_), [&](std::int64_t first, std::int64_t last) {
      range_(args.inputs[0], args.inputs[1], args.outputs[0], stride_, first, last);
    });
    return {};
  }
  bool computes() const { return range_ != nullptr; }

 private:
  std::int64_t item_;
  void (*range_)(const std::byte*, const std::byte*, std::byte*, std::int64_t, std::int64_t,
                 std::int64_t) noexcept = nullptr;
  std::int64_t length_ = 0;
  std::int64_t stride_ = 0;
};

std::unique_ptr<Kernel> make_arange(const StepSpec& spec, Status& status) {
  const bool well_formed = spec.input_dtypes.size() == 2 && same_dtypes(spec, 0) &&
                           shares_only(spec, {}) && spec.input_ndims[0] == 0 &&
                           spec.input_ndims[1] == 0 && spec.output_ndims[0] == 1;
  if (well_formed) {
    auto kernel = std::make_unique<Arange>(spec.output_dtypes[0]);
    if (kernel->computes()) return kernel;
  }
  status = Status::bad_plan("[arange] 0-d start and step of out's dtype, out 1-d");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {
    {"copy", &make_copy}, {"ifelse", &make_ifelse}, {"join", &make_join}, {"arange", &make_arange}};

}  // namespace

std::span<const KernelEntry> shape_kernels() { return kEntries; }

}  // namespace arignote
