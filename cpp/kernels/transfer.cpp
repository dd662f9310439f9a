#include "kernels/transfer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace arignote {
namespace {

// Copies look at bytes alone, so one function serves all dtypes of a size.
struct Pair {
  std::uint64_t low, high;
};

template <class T>
void set_run(std::byte* to, std::int64_t to_stride, const std::byte* from, std::int64_t from_stride,
             std::int64_t count) noexcept {
  constexpr auto item = static_cast<std::int64_t>(sizeof(T));
  if (to_stride == item && from_stride == item) {
    std::memmove(to, from, static_cast<std::size_t>(count) * sizeof(T));
  } else if (to_stride == item && from_stride == 0) {
    const T value = load<T>(from);
    for (std::int64_t i = 0; i < count; ++i) store(to + i * item, value);
  } else if (to_stride == item) {
    for (std::int64_t i = 0; i < count; ++i) store(to + i * item, load<T>(from + i * from_stride));
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      store(to + i * to_stride, load<T>(from + i * from_stride));
    }
  }
}

template <class T>
void add_run(std::byte* to, std::int64_t to_stride, const std::byte* from, std::int64_t from_stride,
             std::int64_t count) noexcept {
  constexpr auto item = static_cast<std::int64_t>(sizeof(T));
  if (to_stride == item && from_stride == item) {
    for (std::int64_t i = 0; i < count; ++i) {
      store(to + i * item, added(load<T>(to + i * item), load<T>(from + i * item)));
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      std::byte* at = to + i * to_stride;
      store(at, added(load<T>(at), load<T>(from + i * from_stride)));
    }
  }
}

void or_run(std::byte* to, std::int64_t to_stride, const std::byte* from, std::int64_t from_stride,
            std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) {
    std::byte* at = to + i * to_stride;
    const bool either = *at != std::byte{0} || from[i * from_stride] != std::byte{0};
    *at = static_cast<std::byte>(either);
  }
}

constexpr std::int64_t kTile = 32;

// A tile is read along `from`'s dense axis, so each line of either operand is fetched once.
template <class T>
void transpose_tile(const std::byte* from, std::int64_t from_stride, std::int64_t rows,
                    std::int64_t columns, std::byte* to, std::int64_t to_stride) noexcept {
  constexpr auto item = static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t row = 0; row < rows; ++row) {
      store(to + column * to_stride + row * item,
            load<T>(from + row * from_stride + column * item));
    }
  }
}

TransposeFn transpose_tile_of(std::int64_t item) {
  switch (item) {
    case 1: return &transpose_tile<std::uint8_t>;
    case 2: return &transpose_tile<std::uint16_t>;
    case 16: return &transpose_tile<Pair>;
    default: return transpose_of(item);
  }
}

// Writes go in memory order; joining then finds the longest runs.
void sort_by_target(Axes<2>& axes) noexcept {
  for (std::size_t end = 1; end < static_cast<std::size_t>(axes.ndim); ++end) {
    for (std::size_t axis = end; axis > 0; --axis) {
      if (std::abs(axes.strides[axis][0]) <= std::abs(axes.strides[axis - 1][0])) break;
      std::swap(axes.strides[axis], axes.strides[axis - 1]);
      std::swap(axes.shape[axis], axes.shape[axis - 1]);
    }
  }
}

}  // namespace

RunFn run_of(Update update, DType dtype) {
  if (update == Update::kSet) {
    switch (size_of(dtype)) {
      case 1: return &set_run<std::uint8_t>;
      case 2: return &set_run<std::uint16_t>;
      case 4: return &set_run<std::uint32_t>;
      case 8: return &set_run<std::uint64_t>;
      default: return &set_run<Pair>;
    }
  }
  if (dtype == DType::kBool) return &or_run;
  RunFn found = nullptr;
  visit_real(dtype, [&]<class T>(std::type_identity<T>) {
    if constexpr (!std::is_same_v<T, bool>) found = &add_run<T>;
  });
  return found;
}

bool Transfer::plan(const Layout& to, const Layout& from) noexcept {
  if (to.ndim != from.ndim) return false;
  axes_.ndim = 0;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(to.ndim); ++axis) {
    const bool repeats = from.shape[axis] == 1;
    if (!repeats && from.shape[axis] != to.shape[axis]) return false;
    axes_.add(to.shape[axis], {to.strides[axis], repeats ? 0 : from.strides[axis]});
  }
  bytes_ = to.size() * item_;
  // Lengths of one first, so that their free strides do not disturb the order.
  axes_.join();
  sort_by_target(axes_);
  axes_.join();
  prepare_transpose();
  return true;
}

void Transfer::prepare_transpose() noexcept {
  transposes_ = false;
  if (update_ != Update::kSet || axes_.ndim < 2) return;
  const auto last = static_cast<std::size_t>(axes_.ndim - 1);
  const auto dense = [&](std::size_t axis, std::size_t operand) {
    return axes_.strides[axis][operand] == item_;
  };
  if (!dense(last, 0) || dense(last, 1) || axes_.strides[last][1] == 0) return;
  for (std::size_t axis = 0; axis < last; ++axis) {
    if (!dense(axis, 1)) continue;
    transposes_ = true;
    transpose_tile_ = transpose_tile_of(item_);
    across_ = axes_.shape[axis];
    across_stride_ = axes_.strides[axis][0];
    for (std::size_t next = axis; next < last; ++next) {
      axes_.shape[next] = axes_.shape[next + 1];
      axes_.strides[next] = axes_.strides[next + 1];
    }
    --axes_.ndim;
    return;
  }
}

void Transfer::run(std::byte* to, const std::byte* from) const noexcept {
  if (transposes_) return run_transposed(to, from);
  parallel_ranges(axes_.size(), items_per_task(item_), [&](std::int64_t first, std::int64_t last) {
    for_each_run(axes_, first, last, [&](const auto& offsets, std::int64_t count) {
      run_fn_(to + offsets[0], axes_.run_stride(0), from + offsets[1], axes_.run_stride(1), count);
    });
  });
}

// Strips of kTile rows of `to`, each in tiles.
void Transfer::run_transposed(std::byte* to, const std::byte* from) const noexcept {
  Axes<2> outer = axes_;
  const std::int64_t length = axes_.shape[static_cast<std::size_t>(--outer.ndim)];
  const std::int64_t from_stride = axes_.run_stride(1);
  const std::int64_t strips = (across_ - 1) / kTile + 1;
  const std::int64_t grain = items_per_task(kTile * length * item_);
  parallel_ranges(outer.size() * strips, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t at = first; at < last; ++at) {
      const std::int64_t start = at % strips * kTile;
      const std::int64_t width = std::min(kTile, across_ - start);
      for_each_run(outer, at / strips, at / strips + 1, [&](const auto& offsets, std::int64_t) {
        std::byte* const strip = to + offsets[0] + start * across_stride_;
        const std::byte* const source = from + offsets[1] + start * item_;
        for (std::int64_t i = 0; i < length; i += kTile) {
          transpose_tile_(source + i * from_stride, from_stride, std::min(kTile, length - i), width,
                          strip + i * item_, across_stride_);
        }
      });
    }
  });
}

}  // namespace arignote
