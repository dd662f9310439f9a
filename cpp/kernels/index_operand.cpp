#include "kernels/index_operand.hpp"

#include <algorithm>

namespace arignote {

bool is_index_step(const StepSpec& spec, std::size_t first) {
  const std::size_t inputs = spec.input_dtypes.size();
  return !spec.ints.empty() && inputs > first &&
         spec.ints[0] == static_cast<std::int64_t>(inputs - first) &&
         spec.input_ndims[0] >= spec.ints[0] && spec.output_dtypes.size() == 1 &&
         spec.output_dtypes[0] == spec.input_dtypes[0] &&
         std::all_of(spec.input_dtypes.begin() + static_cast<std::ptrdiff_t>(first),
                     spec.input_dtypes.end(), is_index_dtype);
}

template <class T>
std::int64_t IndexOperands::add_run(const Run& run, std::int64_t* offsets) noexcept {
  for (std::int64_t i = 0; i < run.count; ++i) {
    const T index = load<T>(run.index + i * run.index_stride);
    // As unsigned numbers, everything below zero and above int64 is too large as well.
    auto wrapped = static_cast<std::uint64_t>(index);
    if constexpr (std::is_signed_v<T>) {
      if (index < 0) wrapped += static_cast<std::uint64_t>(run.length);
    }
    if (wrapped >= static_cast<std::uint64_t>(run.length)) return i;
    offsets[i] += static_cast<std::int64_t>(wrapped) * run.stride;
  }
  return run.count;
}

template <class T>
std::int64_t IndexOperands::read_one(const std::byte* index) noexcept {
  return static_cast<std::int64_t>(load<T>(index));
}

IndexOperands::IndexOperands(std::span<const DType> dtypes) : operands_(dtypes.size()) {
  for (std::size_t j = 0; j < dtypes.size(); ++j) {
    visit_num(dtypes[j], [&]<class T>(std::type_identity<T>) {
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        operands_[j].add = &add_run<T>;
        operands_[j].read = &read_one<T>;
        operands_[j].is_signed = std::is_signed_v<T>;
      }
    });
  }
}

bool IndexOperands::plan(std::span<const Layout> indices, const Layout& array) noexcept {
  if (static_cast<std::size_t>(array.ndim) < operands_.size()) return false;
  for (std::size_t j = 0; j < operands_.size(); ++j) {
    if (!same_shape(indices[j], indices[0])) return false;
    Operand& operand = operands_[j];
    operand.axes.ndim = 0;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(indices[j].ndim); ++axis) {
      operand.axes.add(indices[j].shape[axis], {indices[j].strides[axis]});
    }
    operand.axes.join();
    operand.length = array.shape[j];
    operand.stride = array.strides[j];
  }
  count_ = indices[0].size();
  return true;
}

std::int64_t IndexOperands::resolve(std::span<std::byte* const> indices, std::int64_t first,
                                    std::int64_t last, std::int64_t* offsets) const noexcept {
  std::fill(offsets, offsets + (last - first), 0);
  std::int64_t bad = kNone;
  for (std::size_t j = 0; j < operands_.size(); ++j) {
    const Operand& operand = operands_[j];
    std::int64_t at = first;
    for_each_run(operand.axes, first, last, [&](const auto& starts, std::int64_t count) {
      const std::int64_t good = operand.add({.index = indices[j] + starts[0],
                                             .index_stride = operand.axes.run_stride(0),
                                             .count = count,
                                             .length = operand.length,
                                             .stride = operand.stride},
                                            offsets + (at - first));
      if (good < count) bad = std::min(bad, at + good);
      at += count;
    });
  }
  return bad;
}

Status IndexOperands::error_at(std::span<std::byte* const> indices,
                               std::int64_t position) const noexcept {
  Status status;
  for (std::size_t j = 0; j < operands_.size() && status.ok(); ++j) {
    const Operand& operand = operands_[j];
    for_each_run(operand.axes, position, position + 1, [&](const auto& starts, std::int64_t) {
      const std::int64_t value = operand.read(indices[j] + starts[0]);
      const std::int64_t least = operand.is_signed ? -operand.length : 0;
      if (value < least || value >= operand.length) {
        status = Status::index_out_of_range(position, value, operand.length);
        if (!operand.is_signed) status.what = "unsigned";
      }
    });
  }
  return status;
}

}  // namespace arignote
