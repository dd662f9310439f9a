// Outputs that no step writes: the one step that reads such an output has its rows computed as it
// goes, so that they stay in a cache of the core that does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/kernel.hpp"
#include "runtime/verify.hpp"

namespace arignote {

// Counts those that were found so far: the results tell nothing of it.
inline std::atomic<std::int64_t> left_output_counter{0};

struct LeftRows {
  int writer = 0;  // the step that leaves them
  std::size_t output = 0;
  int reader = 0;
  std::size_t input = 0;
  const RowSource* source = nullptr;
};

// The place of a buffer among a step's outputs if the step may leave it: one reader, which is
// another step or the caller, is all that would see it.
std::optional<std::size_t> output_to_leave(const Program& program, int buffer);

// `kernels` are those of the segment's steps, bound.
std::vector<LeftRows> find_left_rows(const Program& program, const Segment& segment,
                                     std::span<const std::unique_ptr<Kernel>> kernels);

}  // namespace arignote
