// Which small steps can be done in one launch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "backend/elementwise.hpp"
#include "core/memory_range.hpp"

namespace arignote::device {

// Knows what memory the steps of a launch touch. Those that work on the same elements form a chain:
// one thread does all of them for an element, in order. Different chains share nothing.
class StepGroup {
 public:
  // Memory that the launch uses in no order.
  void use(const std::byte* memory, std::size_t bytes);
  // A result of the launch itself, with which a new chain begins: so many elements without gaps.
  void begin_chain(const std::byte* memory, std::size_t bytes, std::int64_t count);
  // Returns the number of the step's chain, a new one if it shares nothing with those before it;
  // null if it must wait for them.
  std::optional<int> add(const SmallStep& step);

 private:
  static constexpr int kNoChain = -1;

  struct Touched {
    MemoryRange memory;
    std::int64_t count;  // of elements in order, 0 if they lie otherwise
    bool is_written;
    int chain;
  };

  std::optional<int> chain_of(const SmallStep& step) const;
  void add(const Touched& touched);
  static Touched touched(const SmallStep& step, std::size_t operand, int chain);

  std::array<Touched, 64> touched_;
  std::size_t n_touched_ = 0;
  int n_chains_ = 0;
  bool is_full_ = false;
};

}  // namespace arignote::device
