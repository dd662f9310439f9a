// Kernels that read elements by position.
//
//   take     x, i0 … i(k-1) -> out   ints = [k]; out[j…, r…] = x[i0[j…], …, i(k-1)[j…], r…];
//                                    indices below zero count from the end
//   nonzero  x -> i0 … i(ndim-1)     coordinates in C order
#include <algorithm>
#include <memory>

#include "kernels/index_operand.hpp"
#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

// The layout without its first axes.
Layout without_leading(const Layout& layout, int axes) {
  Layout rest{.dtype = layout.dtype, .ndim = layout.ndim - axes};
  for (int axis = 0; axis < rest.ndim; ++axis) {
    rest.shape[static_cast<std::size_t>(axis)] =
        layout.shape[static_cast<std::size_t>(axis + axes)];
    rest.strides[static_cast<std::size_t>(axis)] =
        layout.strides[static_cast<std::size_t>(axis + axes)];
  }
  return rest;
}

using GatherFn = void (*)(std::byte* out, const std::byte* x, const std::int64_t* offsets,
                          std::int64_t count, std::size_t row_bytes) noexcept;

template <std::size_t kBytes>
void gather_fixed(std::byte* out, const std::byte* x, const std::int64_t* offsets,
                  std::int64_t count, std::size_t) noexcept {
  for (std::int64_t i = 0; i < count; ++i, out += kBytes) std::memcpy(out, x + offsets[i], kBytes);
}

void gather_rows(std::byte* out, const std::byte* x, const std::int64_t* offsets,
                 std::int64_t count, std::size_t row_bytes) noexcept {
  for (std::int64_t i = 0; i < count; ++i, out += row_bytes) {
    std::memcpy(out, x + offsets[i], row_bytes);
  }
}

GatherFn gather_of(std::size_t row_bytes) {
  switch (row_bytes) {
    case 1: return &gather_fixed<1>;
    case 2: return &gather_fixed<2>;
    case 4: return &gather_fixed<4>;
    case 8: return &gather_fixed<8>;
    case 16: return &gather_fixed<16>;
    default: return &gather_rows;
  }
}

class Take final : public Kernel {
 public:
  explicit Take(const StepSpec& spec)
      : indices_(std::span(spec.input_dtypes).subspan(1)),
        row_(Update::kSet, spec.output_dtypes[0]),
        axes_(static_cast<int>(spec.ints[0])) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& out = outputs[0];
    const Layout x_row = without_leading(inputs[0], axes_);
    const Layout out_row = without_leading(out, inputs[1].ndim);
    if (!indices_.plan(inputs.subspan(1), inputs[0]) || !row_.plan(out_row, x_row) ||
        !same_shape(out_row, x_row) || !out.contiguous() || !leads_with(out, inputs[1])) {
      return Status::bad_plan("[take] out must be contiguous, of shape index.shape + x.shape[k:]");
    }
    row_bytes_ = out_row.size() * static_cast<std::int64_t>(size_of(out.dtype));
    gather_ = x_row.contiguous() ? gather_of(static_cast<std::size_t>(row_bytes_)) : nullptr;
    return {};
  }
  double cost() const override {
    return 10.0 +
           static_cast<double>(indices_.count()) * (1.5 + 0.1 * static_cast<double>(row_bytes_));
  }

  Status run(const RunArgs& args) noexcept override {
    const auto indices = args.inputs.subspan(1);
    FirstBad bad;
    parallel_ranges(
        indices_.count(), items_per_task(row_bytes_ + 16),
        [&](std::int64_t first, std::int64_t last) { bad.note(take(args, first, last)); });
    if (bad.found()) return indices_.error_at(indices, bad.position());
    return {};
  }

 private:
  static bool leads_with(const Layout& out, const Layout& index) {
    return std::equal(index.shape.begin(), index.shape.begin() + index.ndim, out.shape.begin());
  }

  // Returns the first position with an index out of range, or kNone.
  std::int64_t take(const RunArgs& args, std::int64_t first, std::int64_t last) const noexcept {
    constexpr std::int64_t kBlock = 256;
    std::int64_t offsets[kBlock];
    for (; first < last; first += kBlock) {
      const std::int64_t count = std::min(kBlock, last - first);
      const std::int64_t bad =
          indices_.resolve(args.inputs.subspan(1), first, first + count, offsets);
      if (bad != IndexOperands::kNone) return bad;
      std::byte* out = args.outputs[0] + first * row_bytes_;
      if (gather_ != nullptr) {
        gather_(out, args.inputs[0], offsets, count, static_cast<std::size_t>(row_bytes_));
        continue;
      }
      for (std::int64_t i = 0; i < count; ++i) {
        row_.run(out + i * row_bytes_, args.inputs[0] + offsets[i]);
      }
    }
    return IndexOperands::kNone;
  }

  IndexOperands indices_;
  Transfer row_;
  int axes_;
  GatherFn gather_ = nullptr;
  std::int64_t row_bytes_ = 0;
};

std::unique_ptr<Kernel> make_take(const StepSpec& spec, Status& status) {
  if (!is_index_step(spec, 1) || spec.ints.size() != 1 || !shares_only(spec, {}) ||
      spec.output_ndims[0] != spec.input_ndims[1] + spec.input_ndims[0] - spec.ints[0]) {
    status = Status::bad_plan("[take] x, k index arrays, out of x's dtype; ints = [k]");
    return nullptr;
  }
  return std::make_unique<Take>(spec);
}

template <class T>
bool is_nonzero(const std::byte* at) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return *at != std::byte{0};
  } else {
    return load<T>(at) != T{};
  }
}

// Writes to found, in order, which of the elements 0 … count - 1 are not zero; returns their
// number.
template <class T>
std::int64_t find_run(const std::byte* x, std::int64_t stride, std::int64_t count,
                      std::int64_t* found) noexcept {
  std::int64_t number = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    found[number] = i;
    number += is_nonzero<T>(x + i * stride) ? 1 : 0;
  }
  return number;
}

template <class T>
std::int64_t count_run(const std::byte* x, std::int64_t stride, std::int64_t count) noexcept {
  std::int64_t number = 0;
  for (std::int64_t i = 0; i < count; ++i) number += is_nonzero<T>(x + i * stride) ? 1 : 0;
  return number;
}

class Nonzero final : public Kernel {
 public:
  explicit Nonzero(DType dtype) {
    visit_real(dtype, [&]<class T>(std::type_identity<T>) {
      find_ = &find_run<T>;
      count_ = &count_run<T>;
    });
  }
  bool computes() const { return find_ != nullptr; }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    axes_.ndim = 0;
    length_ = outputs[0].shape[0];
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(inputs[0].ndim); ++axis) {
      axes_.add(inputs[0].shape[axis], {inputs[0].strides[axis]});
      if (!outputs[axis].contiguous() || outputs[axis].shape[0] != length_) {
        return Status::bad_plan("[nonzero] outputs must be contiguous and of one length");
      }
    }
    // A fixed number of tasks at most, whose counts fit on the stack.
    size_ = axes_.size();
    grain_ = std::max(items_per_task(8), (size_ + kMaxTasks - 1) / kMaxTasks);
    return {};
  }
  double cost() const override { return 10.0 + static_cast<double>(size_) * 1.5; }

  Status run(const RunArgs& args) noexcept override {
    std::int64_t starts[kMaxTasks] = {};
    parallel_ranges(size_, grain_, [&](std::int64_t first, std::int64_t last) {
      starts[first / grain_] = count(args.inputs[0], first, last);
    });
    std::int64_t total = 0;
    for (std::int64_t& start : starts) {
      const std::int64_t number = start;
      start = total;
      total += number;
    }
    if (total != length_) {
      return Status::bad_plan("[nonzero] outputs must have the number of nonzero elements");
    }
    parallel_ranges(size_, grain_, [&](std::int64_t first, std::int64_t last) {
      write(args, first, last, starts[first / grain_]);
    });
    return {};
  }

 private:
  static constexpr std::int64_t kMaxTasks = 128;
  static constexpr std::int64_t kBlock = 256;

  std::int64_t count(const std::byte* x, std::int64_t first, std::int64_t last) const noexcept {
    std::int64_t number = 0;
    for_each_run(axes_, first, last, [&](const auto& offsets, std::int64_t length) {
      number += count_(x + offsets[0], axes_.run_stride(0), length);
    });
    return number;
  }

  // The coordinates of the nonzero elements at positions first … last - 1 go to the outputs from
  // `slot` on.
  void write(const RunArgs& args, std::int64_t first, std::int64_t last,
             std::int64_t slot) const noexcept {
    const std::int64_t stride = axes_.run_stride(0);
    std::int64_t at = first;
    for_each_run(axes_, first, last, [&](const auto& offsets, std::int64_t length) {
      for (std::int64_t done = 0; done < length; done += kBlock) {
        std::int64_t found[kBlock];
        const std::int64_t number = find_(args.inputs[0] + offsets[0] + done * stride, stride,
                                          std::min(kBlock, length - done), found);
        if (number > 0)
          write_found(args, at + done, {found, static_cast<std::size_t>(number)}, slot);
        slot += number;
      }
      at += length;
    });
  }

  // found holds distances from the position `at` within one run.
  void write_found(const RunArgs& args, std::int64_t at, std::span<const std::int64_t> found,
                   std::int64_t slot) const noexcept {
    constexpr auto item = static_cast<std::int64_t>(sizeof(std::int64_t));
    std::int64_t rest = at;
    const auto ndim = static_cast<std::size_t>(axes_.ndim);
    for (std::size_t axis = ndim; axis-- > 0;) {
      const std::int64_t start = rest % axes_.shape[axis];
      rest /= axes_.shape[axis];
      std::byte* out = args.outputs[axis] + slot * item;
      for (const std::int64_t distance : found) {
        store(out, axis + 1 == ndim ? start + distance : start);
        out += item;
      }
    }
  }

  std::int64_t (*find_)(const std::byte*, std::int64_t, std::int64_t,
                        std::int64_t*) noexcept = nullptr;
  std::int64_t (*count_)(const std::byte*, std::int64_t, std::int64_t) noexcept = nullptr;
  Axes<1> axes_;
  std::int64_t size_ = 0;
  std::int64_t grain_ = 1;
  std::int64_t length_ = 0;
};

std::unique_ptr<Kernel> make_nonzero(const StepSpec& spec, Status& status) {
  const bool well_formed =
      spec.input_dtypes.size() == 1 && spec.input_ndims[0] >= 1 && shares_only(spec, {}) &&
      spec.output_dtypes.size() == static_cast<std::size_t>(spec.input_ndims[0]) &&
      std::all_of(spec.output_dtypes.begin(), spec.output_dtypes.end(),
                  [](DType dtype) { return dtype == DType::kInt64; }) &&
      std::all_of(spec.output_ndims.begin(), spec.output_ndims.end(),
                  [](int ndim) { return ndim == 1; });
  if (well_formed) {
    auto kernel = std::make_unique<Nonzero>(spec.input_dtypes[0]);
    if (kernel->computes()) return kernel;
  }
  status = Status::bad_plan("[nonzero] a number array x, and an int64 vector for each of its axes");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"take", &make_take}, {"nonzero", &make_nonzero}};

}  // namespace

std::span<const KernelEntry> index_kernels() { return kEntries; }

}  // namespace arignote
