// Kernels that look at one element of each row of a matrix.
//
//   pick   x, y -> out      out[i] = x[i, y[i]]
//   place  x, y, v -> out   ints = [increment]; out = x, then out[i, y[i]] = or += v[i]
//
// Positions below zero count from the end; x may have more rows than there are positions.
#include <memory>

#include "kernels/row_positions.hpp"
#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

constexpr std::int64_t kTaskRows = 4096;

// A matrix, and a vector with an element for each position.
class OfEachRow : public Kernel {
 public:
  OfEachRow(const StepSpec& spec, Update update)
      : positions_(spec.input_dtypes[1]), move_(run_of(update, spec.input_dtypes[0])) {}

 protected:
  bool plan(const Layout& matrix, const Layout& y, const Layout& vector) noexcept {
    matrix_stride_ = matrix.strides[0];
    vector_stride_ = vector.shape[0] == 1 ? 0 : vector.strides[0];
    return positions_.plan(y, matrix.shape[1], matrix.strides[1]) && y.shape[0] <= matrix.shape[0];
  }
  double cost_of_rows() const { return 20.0 + static_cast<double>(positions_.count()) * 4.0; }

  // visit(element of the matrix, element of the vector) for each row.
  template <class Visit>
  Status for_each_row(std::byte* matrix, std::byte* y, std::byte* vector,
                      Visit&& visit) const noexcept {
    return positions_.for_each_group(
        y, kTaskRows, [&](std::int64_t first, std::int64_t rows, const std::int64_t* offsets) {
          for (std::int64_t i = 0; i < rows; ++i) {
            const std::int64_t row = first + i;
            visit(matrix + row * matrix_stride_ + offsets[i], vector + row * vector_stride_);
          }
        });
  }
  // One element; see RunFn.
  void move(std::byte* to, const std::byte* from) const noexcept { move_(to, 0, from, 0, 1); }

 private:
  RowPositions positions_;
  RunFn move_;
  std::int64_t matrix_stride_ = 0;
  std::int64_t vector_stride_ = 0;
};

class Pick final : public OfEachRow {
 public:
  explicit Pick(const StepSpec& spec) : OfEachRow(spec, Update::kSet) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!plan(inputs[0], inputs[1], outputs[0]) || !same_shape(inputs[1], outputs[0])) {
      return Status::bad_plan("[pick] x must have a row for each position, and out an element");
    }
    return {};
  }
  double cost() const override { return cost_of_rows(); }

  Status run(const RunArgs& args) noexcept override {
    return for_each_row(args.inputs[0], args.inputs[1], args.outputs[0],
                        [&](const std::byte* from, std::byte* to) { move(to, from); });
  }
};

class Place final : public OfEachRow {
 public:
  Place(const StepSpec& spec, Update update)
      : OfEachRow(spec, update),
        base_(Update::kSet, spec.output_dtypes[0]),
        shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& out = outputs[0];
    const std::int64_t values = inputs[2].shape[0];
    if (!same_shape(inputs[0], out) || !base_.plan(out, inputs[0]) ||
        (shares_ && !same_layout(inputs[0], out)) || !plan(out, inputs[1], inputs[2]) ||
        (values != 1 && values != inputs[1].shape[0])) {
      return Status::bad_plan("[place] x and out must fit, and have a row for each position of v");
    }
    return {};
  }
  double cost() const override { return cost_of_rows() + (shares_ ? 0 : base_.cost()); }

  Status run(const RunArgs& args) noexcept override {
    if (!shares_) base_.run(args.outputs[0], args.inputs[0]);
    return for_each_row(args.outputs[0], args.inputs[1], args.inputs[2],
                        [&](std::byte* to, const std::byte* from) { move(to, from); });
  }

 private:
  Transfer base_;
  bool shares_;
};

bool well_formed(const StepSpec& spec, std::size_t inputs, int out_ndim) {
  return spec.input_dtypes.size() == inputs && spec.output_dtypes.size() == 1 &&
         is_index_dtype(spec.input_dtypes[1]) && spec.input_ndims[0] == 2 &&
         spec.input_ndims[1] == 1 && spec.output_dtypes[0] == spec.input_dtypes[0] &&
         spec.output_ndims[0] == out_ndim;
}

std::unique_ptr<Kernel> make_pick(const StepSpec& spec, Status& status) {
  if (well_formed(spec, 2, 1) && shares_only(spec, {})) return std::make_unique<Pick>(spec);
  status = Status::bad_plan("[pick] x a matrix, y an integer vector, out a vector as x");
  return nullptr;
}

std::unique_ptr<Kernel> make_place(const StepSpec& spec, Status& status) {
  const bool fits = well_formed(spec, 3, 2) && spec.input_dtypes[2] == spec.input_dtypes[0] &&
                    spec.input_ndims[2] == 1 && spec.ints.size() == 1 &&
                    (spec.ints[0] == 0 || spec.ints[0] == 1) && shares_only(spec, {0});
  const Update update = fits && spec.ints[0] == 1 ? Update::kAdd : Update::kSet;
  if (fits && run_of(update, spec.output_dtypes[0]) != nullptr) {
    return std::make_unique<Place>(spec, update);
  }
  status = Status::bad_plan(
      "[place] x and out matrices, y integers, v a vector as x (increments: numbers); ints = [0 or "
      "1]");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"pick", &make_pick}, {"place", &make_place}};

}  // namespace

std::span<const KernelEntry> pick_kernels() { return kEntries; }

}  // namespace arignote
