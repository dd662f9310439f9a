// The kernels of one segment, bound to one set of layouts, and where its temporaries lie for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/arena.hpp"
#include "runtime/verify.hpp"

namespace arignote {

// Row-major without gaps.
void make_contiguous(Layout& layout);

class Binding {
 public:
  // `layouts` are those of all buffers known so far. What the binding depends on, and nothing else,
  // is in `key`. May throw std::bad_alloc.
  static std::unique_ptr<Binding> make(const Program& program, int segment,
                                       std::span<const Layout> layouts,
                                       std::span<const std::int64_t> key, Status& status);

  // Strictly increasing over the process, so that it names a binding for ever.
  std::int64_t serial() const { return serial_; }
  bool suits(std::span<const std::int64_t> key) const;

  // By step of the segment; null for host steps and for reshapes that are aliases.
  std::span<const std::unique_ptr<Kernel>> kernels() const { return kernels_; }
  // By slot of the segment, in its arena.
  std::span<const Slot> slots() const { return slots_; }
  std::size_t workspace() const { return workspace_; }  // offset in the arena
  std::size_t bytes() const { return bytes_; }
  double cost() const { return cost_; }  // nanoseconds

 private:
  Status bind(const Program& program, int step, std::span<const Layout> layouts);
  void place(const Program& program, const Segment& segment, std::span<const Layout> layouts,
             std::size_t workspace_bytes);

  std::int64_t serial_ = 0;
  std::vector<std::int64_t> key_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<Slot> slots_;
  std::size_t workspace_ = 0;
  std::size_t bytes_ = 0;
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
