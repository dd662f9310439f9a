// The integers and layouts of one call: registers, checks, and the layout of every buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/verify.hpp"

namespace arignote {

// An array that a call brings: an input, or the present array of a state. ndim is the plan's.
struct Source {
  std::byte* data = nullptr;
  const std::int64_t* shape = nullptr;
  const std::int64_t* strides = nullptr;
};

class Frame {
 public:
  explicit Frame(const Program& program);

  // Takes over the layouts of inputs and states, in this order; says whether any has changed.
  bool take(std::span<const Source> sources);

  // Takes over the value of a register that is read from memory; says whether it has changed.
  bool take_value(int reg, const std::byte* data);

  // Evaluates the segment's registers, holds its checks, and lays its buffers out.
  Status settle(const Segment& segment);

  std::span<const std::int64_t> registers() const { return registers_; }
  std::span<const Layout> layouts() const { return layouts_; }
  // Shapes and strides of the segment's buffers: what its kernels are bound to.
  void append_key(const Segment& segment, std::vector<std::int64_t>& key) const;
  // Bytes from the start of a view's base to its own.
  std::int64_t offset(int buffer) const { return offsets_[buffer]; }
  // The memory of the scalar buffers, and where in it a buffer lies.
  std::byte* scalars() { return scalars_.front().data(); }
  static std::int64_t scalar_offset(int buffer) {
    return static_cast<std::int64_t>(sizeof(Scalar)) * buffer;
  }

 private:
  // The bytes around a buffer's start that belong to its memory: from `low` to before `high`.
  struct Extent {
    std::int64_t low = 0;
    std::int64_t high = 0;
  };
  using Scalar = std::array<std::byte, 16>;

  Status check(int number) const;
  Status settle_buffer(int id);
  Status settle_source(int id);
  Status settle_temp(int id);
  Status settle_view(int id);
  Status settle_reshape(int id);
  void settle_scalar(int id);
  static bool hull(const Layout& layout, Extent& extent);

  const Program& program_;
  std::vector<std::int64_t> registers_;
  std::vector<Layout> layouts_;
  std::vector<Extent> extents_;
  std::vector<std::int64_t> offsets_;
  std::vector<Scalar> scalars_;  // by buffer
  std::vector<int> sources_;     // buffers of the inputs and states
};

}  // namespace arignote
