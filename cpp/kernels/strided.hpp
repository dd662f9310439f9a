// Walking strided operands: what every kernel that is not a plain array loop shares.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "core/half.hpp"
#include "core/parallel.hpp"
#include "core/view.hpp"
#include "kernels/kernel.hpp"

namespace arignote {

// Elements may stand at any address, so they are never reached through a typed pointer.
template <class T>
T load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <class T>
void store(std::byte* at, T value) noexcept {
  std::memcpy(at, &value, sizeof(T));
}

// The axes that N operands are walked along together, outermost first.
template <int N>
struct Axes {
  int ndim = 0;
  std::array<std::int64_t, kMaxDims> shape{};
  std::array<std::array<std::int64_t, N>, kMaxDims> strides{};

  void add(std::int64_t length, const std::array<std::int64_t, N>& steps) noexcept {
    shape[static_cast<std::size_t>(ndim)] = length;
    strides[static_cast<std::size_t>(ndim)] = steps;
    ++ndim;
  }

  std::int64_t size() const noexcept {
    std::int64_t count = 1;
    for (int axis = 0; axis < ndim; ++axis) count *= shape[static_cast<std::size_t>(axis)];
    return count;
  }

  // The stride within the runs of for_each_run.
  std::int64_t run_stride(std::size_t operand) const noexcept {
    return ndim == 0 ? 0 : strides[static_cast<std::size_t>(ndim - 1)][operand];
  }

  // Drops axes of length one and makes one axis of two neighbours that every operand walks as one.
  void join() noexcept {
    const int old_ndim = ndim;
    ndim = 0;
    for (int axis = 0; axis < old_ndim; ++axis) {
      const auto from = static_cast<std::size_t>(axis);
      if (shape[from] == 1) continue;
      if (ndim > 0 && joins_last(from)) {
        shape[static_cast<std::size_t>(ndim - 1)] *= shape[from];
        strides[static_cast<std::size_t>(ndim - 1)] = strides[from];
      } else {
        add(shape[from], strides[from]);
      }
    }
  }

 private:
  bool joins_last(std::size_t axis) const noexcept {
    const auto last = static_cast<std::size_t>(ndim - 1);
    for (std::size_t n = 0; n < N; ++n) {
      if (strides[last][n] != strides[axis][n] * shape[axis]) return false;
    }
    return true;
  }
};

// Calls visit(offsets, count) for the runs along the last axis that make up the positions
// first … last - 1 in C order; offsets are in bytes, one for each operand, at the run's start.
template <int N, class Visit>
void for_each_run(const Axes<N>& axes, std::int64_t first, std::int64_t last, Visit&& visit) {
  if (first >= last) return;
  std::array<std::int64_t, N> offsets{};
  if (axes.ndim <= 1) {
    for (std::size_t n = 0; n < N; ++n) offsets[n] = first * axes.run_stride(n);
    visit(offsets, last - first);
    return;
  }
  std::array<std::int64_t, kMaxDims> index;
  const auto inner = static_cast<std::size_t>(axes.ndim - 1);
  std::int64_t rest = first;
  for (std::size_t axis = inner + 1; axis-- > 0;) {
    index[axis] = rest % axes.shape[axis];
    rest /= axes.shape[axis];
    for (std::size_t n = 0; n < N; ++n) offsets[n] += index[axis] * axes.strides[axis][n];
  }
  while (true) {
    const std::int64_t count = std::min(axes.shape[inner] - index[inner], last - first);
    visit(offsets, count);
    first += count;
    if (first >= last) return;
    for (std::size_t n = 0; n < N; ++n) offsets[n] -= index[inner] * axes.strides[inner][n];
    index[inner] = 0;
    for (std::size_t axis = inner; axis-- > 0;) {
      const bool wraps = ++index[axis] == axes.shape[axis];
      const std::int64_t move = wraps ? 1 - axes.shape[axis] : 1;
      for (std::size_t n = 0; n < N; ++n) offsets[n] += move * axes.strides[axis][n];
      if (!wraps) break;
      index[axis] = 0;
    }
  }
}

// Cuts count items into tasks of `grain` items (the last may be shorter) and calls body(first,
// last) for each. The grain must follow from shapes alone.
template <class Body>
void parallel_ranges(std::int64_t count, std::int64_t grain, Body&& body) {
  if (count <= 0) return;
  const std::int64_t tasks = (count - 1) / grain + 1;
  parallel_for(tasks,
               [&](std::int64_t task) { body(task * grain, std::min(count, (task + 1) * grain)); });
}

// Memory traffic worth a task of its own: some tens of microseconds, well above a thread's wake-up.
inline constexpr std::int64_t kTaskBytes = 1 << 18;

inline std::int64_t items_per_task(std::int64_t bytes_per_item) {
  return std::max<std::int64_t>(1, kTaskBytes / std::max<std::int64_t>(1, bytes_per_item));
}

inline bool same_shape(const Layout& a, const Layout& b) {
  return a.ndim == b.ndim && std::equal(a.shape.begin(), a.shape.begin() + a.ndim, b.shape.begin());
}

// True for layouts that, from one address, name the same elements in the same order.
inline bool same_layout(const Layout& a, const Layout& b) {
  if (a.dtype != b.dtype || !same_shape(a, b)) return false;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(a.ndim); ++axis) {
    if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return a.size() == 0;
  }
  return true;
}

// Whether the outputs overwrite no other inputs than the permitted ones.
inline bool shares_only(const StepSpec& spec, std::initializer_list<int> permitted) {
  for (const auto& inputs : spec.shared_storage) {
    for (const int input : inputs) {
      if (std::find(permitted.begin(), permitted.end(), input) == permitted.end()) return false;
    }
  }
  return true;
}

// Whether the step's first output overwrites that input.
inline bool overwrites(const StepSpec& spec, int input) {
  if (spec.shared_storage.empty()) return false;
  const auto& inputs = spec.shared_storage[0];
  return std::find(inputs.begin(), inputs.end(), input) != inputs.end();
}

// Whether no output but the first overwrites an input.
inline bool only_first_overwrites(const StepSpec& spec) {
  const auto& shared = spec.shared_storage;
  return std::all_of(shared.begin() + (shared.empty() ? 0 : 1), shared.end(),
                     [](const auto& inputs) { return inputs.empty(); });
}

// Calls visit(std::type_identity<T>{}) with the C++ type of a dtype that kernels compute in; false
// for float16, bfloat16 and the complex types.
template <class Visit>
bool visit_num(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::kBool: visit(std::type_identity<bool>{}); return true;
    case DType::kInt8: visit(std::type_identity<std::int8_t>{}); return true;
    case DType::kInt16: visit(std::type_identity<std::int16_t>{}); return true;
    case DType::kInt32: visit(std::type_identity<std::int32_t>{}); return true;
    case DType::kInt64: visit(std::type_identity<std::int64_t>{}); return true;
    case DType::kUInt8: visit(std::type_identity<std::uint8_t>{}); return true;
    case DType::kUInt16: visit(std::type_identity<std::uint16_t>{}); return true;
    case DType::kUInt32: visit(std::type_identity<std::uint32_t>{}); return true;
    case DType::kUInt64: visit(std::type_identity<std::uint64_t>{}); return true;
    case DType::kFloat32: visit(std::type_identity<float>{}); return true;
    case DType::kFloat64: visit(std::type_identity<double>{}); return true;
    default: return false;
  }
}

// The same for dtypes that kernels count and add in one number at a time: also Half for float16 and
// BFloat for bfloat16.
template <class Visit>
bool visit_real(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::kFloat16: visit(std::type_identity<Half>{}); return true;
    case DType::kBFloat16: visit(std::type_identity<BFloat>{}); return true;
    default: return visit_num(dtype, visit);
  }
}

}  // namespace arignote
