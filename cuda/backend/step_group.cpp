#include "backend/step_group.hpp"

#include <span>

namespace arignote::device {

void StepGroup::use(const std::byte* memory, std::size_t bytes) {
  add({MemoryRange::of(memory, bytes), 0, true, kNoChain});
}

void StepGroup::begin_chain(const std::byte* memory, std::size_t bytes, std::int64_t count) {
  add({MemoryRange::of(memory, bytes), count, true, n_chains_++});
}

std::optional<int> StepGroup::add(const SmallStep& step) {
  const std::optional<int> chain = chain_of(step);
  if (!chain) return std::nullopt;
  for (std::size_t i = 0; i < step.reaches.size(); ++i) add(touched(step, i, *chain));
  if (is_full_) return std::nullopt;
  if (*chain == n_chains_) ++n_chains_;
  return chain;
}

void StepGroup::add(const Touched& touched) {
  is_full_ |= n_touched_ == touched_.size();
  if (!is_full_) touched_[n_touched_++] = touched;
}

StepGroup::Touched StepGroup::touched(const SmallStep& step, std::size_t operand, int chain) {
  const Reach& reach = step.reaches[operand];
  const std::byte* const memory = step.program.operands[operand];
  return {{memory + reach.begin, memory + reach.end},
          reach.is_dense ? step.program.count : 0,
          operand >= step.n_read,
          chain};
}

std::optional<int> StepGroup::chain_of(const SmallStep& step) const {
  int chain = n_chains_;
  for (std::size_t i = 0; i < step.reaches.size(); ++i) {
    const Touched own = touched(step, i, kNoChain);
    for (const Touched& other : std::span(touched_).first(n_touched_)) {
      if (!own.memory.meets(other.memory) || !(own.is_written || other.is_written)) continue;
      const bool is_same = own.memory == other.memory && own.count == other.count && own.count != 0;
      if (!is_same || (chain != n_chains_ && chain != other.chain)) return std::nullopt;
      chain = other.chain;
    }
  }
  return chain;
}

}  // namespace arignote::device
