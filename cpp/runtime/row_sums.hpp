// The outputs of a row block that are sums over the rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/buffer.hpp"
#include "core/view.hpp"
#include "kernels/block.hpp"
#include "runtime/backend.hpp"

namespace arignote {

// Where a block's results go: one address for each output of the body.
using Targets = std::vector<std::byte*>;

// Adds two blocks of numbers; null for those that cannot be added.
inline BlockFn add_of(DType dtype) {
  const std::array<DType, 2> terms = {dtype, dtype};
  const BlockOp* op = find_block_op("add", terms, dtype);
  return op == nullptr ? nullptr : op->fn;
}

// A kernel of the body that adds to a sum: in a form of its own, or if that has no bytes, to the
// output.
struct Adder {
  int step;
  std::size_t output;  // of the body
  SumForm form;

  bool has_own_form() const { return form.bytes != 0; }
};

// Sums that lie in memory together: those that the outputs cannot hold, one of each, or those of a
// block that are yet to be added.
enum class Together { kApart, kAll, kBlock };

// The outputs that are sums. Some are summed up by the kernels that make them.
class Sums {
 public:
  void clear() { parts_.clear(); }
  void append(std::size_t output, const Layout& layout, const Adder* adder) {
    const bool is_own = adder != nullptr && adder->has_own_form();
    const DType dtype = is_own ? adder->form.dtype : layout.dtype;
    const std::size_t count = is_own ? adder->form.bytes / size_of(dtype) : 0;
    parts_.push_back({output, is_own ? static_cast<std::int64_t>(count) : layout.size(), dtype,
                      adder != nullptr, is_own, add_of(dtype)});
  }
  // Whether all of them can be added up: no sum of halves can, but in another form.
  bool can_add() const {
    return std::ranges::all_of(parts_, [](const Part& part) { return part.add != nullptr; });
  }
  std::size_t bytes(Together together) const {
    std::size_t bytes = 0;
    for (const Part& part : parts_) {
      if (part.is_there(together)) bytes += part.bytes();
    }
    return bytes;
  }

  // Returns where the memory goes on.
  std::byte* point(Targets& targets, std::byte* memory, Together together) const {
    for (const Part& part : parts_) {
      if (!part.is_there(together)) continue;
      targets[part.output] = memory;
      memory += part.bytes();
    }
    return memory;
  }
  void point_at_outputs(Targets& targets, std::span<std::byte* const> outputs) const {
    for (const Part& part : parts_) {
      if (!part.is_own) targets[part.output] = outputs[part.output];
    }
  }
  // Makes a block's targets ready: kernels that add do so to the sums.
  void start(const Targets& sums) const {
    for (const Part& part : parts_) {
      if (part.is_own) std::fill_n(sums[part.output], part.bytes(), std::byte{0});
    }
  }
  void share(Targets& targets, const Targets& sums) const {
    for (const Part& part : parts_) {
      if (part.adds) targets[part.output] = sums[part.output];
    }
  }
  void add_block(const Targets& sums, const Targets& block) const {
    for (const Part& part : parts_) {
      if (!part.adds) add(part, sums, block);
    }
  }
  // The same on a device, where such sums lie as outputs do.
  Status add_block(const Targets& sums, const Targets& block, Session& session) const {
    for (const Part& part : parts_) {
      if (part.adds) continue;
      const Status status =
          session.add(block[part.output], sums[part.output], part.dtype, part.count);
      if (!status.ok()) return status;
    }
    return {};
  }
  void add(const Targets& to, const Targets& from) const {
    for (const Part& part : parts_) add(part, to, from);
  }

 private:
  struct Part {
    std::size_t output;
    std::int64_t count;
    DType dtype;
    bool adds;    // its kernel does
    bool is_own;  // in a form of its own
    BlockFn add;

    bool is_there(Together together) const {
      switch (together) {
        case Together::kApart: return is_own;
        case Together::kBlock: return !adds;
        default: return true;
      }
    }
    std::size_t bytes() const { return align_up(static_cast<std::size_t>(count) * size_of(dtype)); }
  };
  static void add(const Part& part, const Targets& to, const Targets& from) {
    const std::array<const void*, 2> terms = {to[part.output], from[part.output]};
    part.add(terms.data(), to[part.output], static_cast<std::size_t>(part.count));
  }

  std::vector<Part> parts_;
};

}  // namespace arignote
