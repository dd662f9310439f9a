// The kernels of one segment, bound to one set of layouts, and where its temporaries lie for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/arena.hpp"
#include "runtime/left_rows.hpp"
#include "runtime/taken_over.hpp"
#include "runtime/verify.hpp"

namespace arignote {

// Row-major without gaps.
void make_contiguous(Layout& layout);

// Of all elements, without gaps.
std::size_t bytes_of(const Layout& layout);

// What a segment needs of the host's memory, or of the device's.
struct ArenaLayout {
  std::size_t workspace = 0;  // offset: after the slots, for the kernel at work
  std::size_t bytes = 0;      // all of it
};

class Binding {
 public:
  // `layouts` are those of all buffers known so far. What the binding depends on, and nothing else,
  // is in `key`. `session` is where a device's steps will run; there steps may take over others if
  // all outputs need not be seen. May throw std::bad_alloc.
  static std::unique_ptr<Binding> make(const Program& program, int segment,
                                       std::span<const Layout> layouts,
                                       std::span<const std::int64_t> key, Session* session,
                                       bool is_observed, Status& status);

  // Strictly increasing over the process, so that it names a binding for ever.
  std::int64_t serial() const { return serial_; }
  bool suits(std::span<const std::int64_t> key) const;

  // By step of the segment; null for host steps and for reshapes that are aliases.
  std::span<const std::unique_ptr<Kernel>> kernels() const { return kernels_; }
  // By slot of the segment, in the arena of the place where the buffer lies.
  std::span<const Slot> slots() const { return slots_; }
  const ArenaLayout& arena(bool on_device) const { return arenas_[on_device ? 1 : 0]; }
  std::span<const LeftRows> left_rows() const { return left_rows_; }
  std::span<const TakenOver> taken_over() const { return taken_over_; }
  double cost() const { return cost_; }  // nanoseconds

 private:
  Status bind(const Program& program, int step, std::span<const Layout> layouts, Session* session);
  void place(const Program& program, const Segment& segment, std::span<const Layout> layouts,
             bool on_device);

  std::int64_t serial_ = 0;
  std::vector<std::int64_t> key_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<Slot> slots_;
  std::vector<LeftRows> left_rows_;
  std::vector<TakenOver> taken_over_;
  std::array<ArenaLayout, 2> arenas_;  // the host's, the device's
  double cost_ = 0;
};

// The last few bindings of a segment: shapes that alternate (the last minibatch of an epoch) do not
// bind again and again.
class BindingCache {
 public:
  // The binding for a key, null if there is none; it becomes the most recent one.
  Binding* find(std::span<const std::int64_t> key);
  Binding* add(std::unique_ptr<Binding> binding);

 private:
  static constexpr std::size_t kKept = 4;
  std::vector<std::unique_ptr<Binding>> bindings_;  // most recent first
};

}  // namespace arignote
