// Kernels that write elements by position into a copy of x, or into x itself where the step says
// that out has its storage.
//
//   put           x, v, i0 … i(k-1) -> out    ints = [k, increment]; out = x, then
//                                             out[i0[j…], …, r…] = or += v[j…, r…] in index order;
//                                             indices below zero count from the end
//   slice_update  x, v -> out                 ints = [increment], dims = (start, length, step) of
//                                             each axis; out = x, then the region = or += v
#include <algorithm>
#include <memory>

#include "kernels/index_operand.hpp"
#include "kernels/region.hpp"
#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

// out[offsets[i]] = or += v[i] for single elements.
using ScatterFn = void (*)(std::byte* out, const std::int64_t* offsets, const std::byte* v,
                           std::int64_t v_stride, std::int64_t count) noexcept;

template <class T>
void scatter_add(std::byte* out, const std::int64_t* offsets, const std::byte* v,
                 std::int64_t v_stride, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) {
    std::byte* at = out + offsets[i];
    if constexpr (std::is_same_v<T, bool>) {
      const bool either = *at != std::byte{0} || v[i * v_stride] != std::byte{0};
      *at = static_cast<std::byte>(either);
    } else {
      store(at, added(load<T>(at), load<T>(v + i * v_stride)));
    }
  }
}

template <std::size_t kBytes>
void scatter_set(std::byte* out, const std::int64_t* offsets, const std::byte* v,
                 std::int64_t v_stride, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(out + offsets[i], v + i * v_stride, kBytes);
  }
}

ScatterFn scatter_of(Update update, DType dtype) {
  ScatterFn found = nullptr;
  if (update == Update::kAdd) {
    visit_real(dtype, [&]<class T>(std::type_identity<T>) { found = &scatter_add<T>; });
    return found;
  }
  switch (size_of(dtype)) {
    case 1: return &scatter_set<1>;
    case 2: return &scatter_set<2>;
    case 4: return &scatter_set<4>;
    case 8: return &scatter_set<8>;
    default: return &scatter_set<16>;
  }
}

class Put final : public Kernel {
 public:
  Put(const StepSpec& spec, Update update)
      : indices_(std::span(spec.input_dtypes).subspan(2)),
        base_(Update::kSet, spec.output_dtypes[0]),
        scatter_(scatter_of(update, spec.output_dtypes[0])),
        run_fn_(run_of(update, spec.output_dtypes[0])),
        shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& out = outputs[0];
    if (!same_shape(inputs[0], out) || !base_.plan(out, inputs[0]) ||
        (shares_ && !same_layout(inputs[0], out))) {
      return Status::bad_plan("[put] x and out must have the same shape");
    }
    if (!indices_.plan(inputs.subspan(2), out) || !plan_values(inputs[1], inputs[2], out)) {
      return Status::bad_plan("[put] v must fit the shape index.shape + x.shape[k:]");
    }
    return {};
  }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(indices_.count()) * sizeof(std::int64_t);
  }
  double cost() const override {
    const auto elements = static_cast<double>(indices_.count() * row_.size());
    return base_.cost() + static_cast<double>(indices_.count()) * 1.5 + elements;
  }

  Status run(const RunArgs& args) noexcept override {
    const auto indices = args.inputs.subspan(2);
    // The workspace is aligned, and nobody else looks at it: it may hold typed numbers.
    auto* offsets = reinterpret_cast<std::int64_t*>(args.workspace);
    FirstBad bad;
    parallel_ranges(indices_.count(), items_per_task(16),
                    [&](std::int64_t first, std::int64_t last) {
                      bad.note(indices_.resolve(indices, first, last, offsets + first));
                    });
    if (bad.found()) return indices_.error_at(indices, bad.position());
    if (!shares_) base_.run(args.outputs[0], args.inputs[0]);
    if (row_.ndim == 0) {
      put_elements(args.outputs[0], args.inputs[1], offsets);
    } else {
      put_rows(args.outputs[0], args.inputs[1], offsets);
    }
    return {};
  }

 private:
  bool plan_values(const Layout& v, const Layout& index, const Layout& out) noexcept {
    const auto leading = static_cast<std::size_t>(index.ndim);
    const auto indexed = static_cast<std::size_t>(indices_.arrays());
    if (v.ndim != index.ndim + out.ndim - indices_.arrays()) return false;
    values_.ndim = row_.ndim = 0;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(v.ndim); ++axis) {
      const bool leads = axis < leading;
      const std::size_t out_axis = leads ? 0 : axis - leading + indexed;
      const std::int64_t length = leads ? index.shape[axis] : out.shape[out_axis];
      if (v.shape[axis] != length && v.shape[axis] != 1) return false;
      const std::int64_t stride = v.shape[axis] == 1 ? 0 : v.strides[axis];
      if (leads) values_.add(length, {stride});
      if (!leads) row_.add(length, {out.strides[out_axis], stride});
    }
    values_.join();
    row_.join();
    return true;
  }

  void put_elements(std::byte* out, const std::byte* v,
                    const std::int64_t* offsets) const noexcept {
    const std::int64_t stride = values_.run_stride(0);
    for_each_run(values_, 0, indices_.count(), [&](const auto& starts, std::int64_t count) {
      scatter_(out, offsets, v + starts[0], stride, count);
      offsets += count;
    });
  }

  // Tasks share the columns of the rows, not the rows: each element is updated in index order.
  void put_rows(std::byte* out, const std::byte* v, const std::int64_t* offsets) const noexcept {
    const std::int64_t stride = values_.run_stride(0);
    const std::int64_t grain = std::max<std::int64_t>(64, items_per_task(8 * indices_.count()));
    parallel_ranges(row_.size(), grain, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t* offset = offsets;
      for_each_run(values_, 0, indices_.count(), [&](const auto& starts, std::int64_t rows) {
        for (std::int64_t i = 0; i < rows; ++i) {
          std::byte* to = out + *offset++;
          const std::byte* from = v + starts[0] + i * stride;
          for_each_run(row_, first, last, [&](const auto& at, std::int64_t count) {
            run_fn_(to + at[0], row_.run_stride(0), from + at[1], row_.run_stride(1), count);
          });
        }
      });
    });
  }

  IndexOperands indices_;
  Transfer base_;
  ScatterFn scatter_;
  RunFn run_fn_;
  bool shares_;
  Axes<1> values_;  // v over the index positions
  Axes<2> row_;     // out and v over x.shape[k:]
};

std::unique_ptr<Kernel> make_put(const StepSpec& spec, Status& status) {
  const bool well_formed = is_index_step(spec, 2) && spec.ints.size() == 2 &&
                           (spec.ints[1] == 0 || spec.ints[1] == 1) &&
                           spec.input_dtypes[1] == spec.output_dtypes[0] &&
                           shares_only(spec, {0}) && spec.output_ndims[0] == spec.input_ndims[0];
  const Update update = well_formed && spec.ints[1] == 1 ? Update::kAdd : Update::kSet;
  if (!well_formed || run_of(update, spec.output_dtypes[0]) == nullptr) {
    status = Status::bad_plan(
        "[put] x, v, k index arrays, out of x's dtype (increments: a number); ints = [k, 0 or 1]");
    return nullptr;
  }
  return std::make_unique<Put>(spec, update);
}

class SliceUpdate final : public Kernel {
 public:
  SliceUpdate(const StepSpec& spec, Update update)
      : base_(Update::kSet, spec.output_dtypes[0]),
        change_(update, spec.output_dtypes[0]),
        shares_(overwrites(spec, 0)) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (!same_shape(inputs[0], outputs[0]) || !base_.plan(outputs[0], inputs[0]) ||
        inputs[1].ndim != outputs[0].ndim || (shares_ && !same_layout(inputs[0], outputs[0]))) {
      return Status::bad_plan("[slice_update] x and out must have the same shape, v their ndim");
    }
    out_ = outputs[0];
    v_ = inputs[1];
    return {};
  }
  double cost() const override {
    return base_.cost() + 20.0 + static_cast<double>(v_.size()) * 0.5;
  }

  Status run(const RunArgs& args) noexcept override {
    Region region;
    if (const Status status = region.cut(out_, args.dims); !status.ok()) return status;
    Transfer change = change_;
    if (!change.plan(region.layout, v_)) {
      return Status::bad_plan("[slice_update] v must fit the region");
    }
    if (!shares_) base_.run(args.outputs[0], args.inputs[0]);
    if (region.layout.size() > 0) change.run(args.outputs[0] + region.offset, args.inputs[1]);
    return {};
  }

 private:
  Transfer base_;
  Transfer change_;
  bool shares_;
  Layout out_;
  Layout v_;
};

std::unique_ptr<Kernel> make_slice_update(const StepSpec& spec, Status& status) {
  const bool well_formed = spec.input_dtypes.size() == 2 && spec.output_dtypes.size() == 1 &&
                           spec.ints.size() == 1 && (spec.ints[0] == 0 || spec.ints[0] == 1) &&
                           spec.input_dtypes[0] == spec.output_dtypes[0] &&
                           spec.input_dtypes[1] == spec.output_dtypes[0] && shares_only(spec, {0});
  const Update update = well_formed && spec.ints[0] == 1 ? Update::kAdd : Update::kSet;
  if (!well_formed || run_of(update, spec.output_dtypes[0]) == nullptr) {
    status = Status::bad_plan(
        "[slice_update] x, v, out of one dtype (a number for increments); ints = [0 or 1]");
    return nullptr;
  }
  return std::make_unique<SliceUpdate>(spec, update);
}

constexpr KernelEntry kEntries[] = {{"put", &make_put}, {"slice_update", &make_slice_update}};

}  // namespace

std::span<const KernelEntry> put_kernels() { return kEntries; }

}  // namespace arignote
