// The integer arrays that say which elements of x take and put mean.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/status.hpp"
#include "core/view.hpp"
#include "kernels/strided.hpp"

namespace arignote {

inline constexpr bool is_index_dtype(DType dtype) {
  return dtype >= DType::kInt8 && dtype <= DType::kUInt64;
}

// Whether the step's inputs are those of take (first = 1) or put (first = 2): x, …, ints[0] index
// arrays from input `first` on, and one output of x's dtype.
bool is_index_step(const StepSpec& spec, std::size_t first);

// k index arrays of one shape, the j-th running over axis j of an array. Positions are flat, in C
// order of that shape; offsets are in bytes from the array's first element.
class IndexOperands {
 public:
  static constexpr std::int64_t kNone = INT64_MAX;

  // dtypes must satisfy is_index_dtype.
  explicit IndexOperands(std::span<const DType> dtypes);

  // False if the index arrays have not one shape, or the array has fewer axes than they are.
  bool plan(std::span<const Layout> indices, const Layout& array) noexcept;

  std::int64_t count() const { return count_; }
  int arrays() const { return static_cast<int>(operands_.size()); }

  // offsets[i] belongs to position first + i. Negative indices count from the end. Returns the
  // first position at which an index is out of range (offsets from there on are undefined), or
  // kNone.
  std::int64_t resolve(std::span<std::byte* const> indices, std::int64_t first, std::int64_t last,
                       std::int64_t* offsets) const noexcept;

  // The error for a position that resolve() returned. Its value has the bits of the index: of an
  // unsigned one if that is what the error says.
  Status error_at(std::span<std::byte* const> indices, std::int64_t position) const noexcept;

 private:
  struct Run {
    const std::byte* index;
    std::int64_t index_stride;
    std::int64_t count;
    std::int64_t length;  // of the array's axis
    std::int64_t stride;
  };
  // Adds to the offsets; returns how many indices were in range before the first that is not.
  using AddFn = std::int64_t (*)(const Run& run, std::int64_t* offsets) noexcept;
  // The bits of an index, extended to 64.
  using ReadFn = std::int64_t (*)(const std::byte* index) noexcept;

  struct Operand {
    AddFn add;
    ReadFn read;
    bool is_signed;
    Axes<1> axes;
    std::int64_t length = 0;
    std::int64_t stride = 0;
  };

  template <class T>
  static std::int64_t add_run(const Run& run, std::int64_t* offsets) noexcept;
  template <class T>
  static std::int64_t read_one(const std::byte* index) noexcept;

  std::vector<Operand> operands_;
  std::int64_t count_ = 0;
};

// The least position noted by any task.
class FirstBad {
 public:
  void note(std::int64_t position) noexcept {
    std::int64_t least = position_.load(std::memory_order_relaxed);
    while (position < least &&
           !position_.compare_exchange_weak(least, position, std::memory_order_relaxed)) {
    }
  }
  bool found() const noexcept { return position() != IndexOperands::kNone; }
  std::int64_t position() const noexcept { return position_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> position_{IndexOperands::kNone};
};

}  // namespace arignote
