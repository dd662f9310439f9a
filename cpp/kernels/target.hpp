// Which SIMD target the kernels are chosen for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace arignote {

// Targets compiled in and supported by this machine, best first, by Highway's names lower-cased
// (avx3, avx2, sse4, sse2, neon …).
std::vector<std::string> available_targets();

// The one in force: the best, unless ARIGNOTE_TARGET or set_target chose another.
std::string current_target();

// Takes effect for kernels that are made afterwards: for plans loaded later, and where others meet
// new shapes. False if the machine has no such target. An empty name restores the best.
bool set_target(std::string_view name);

}  // namespace arignote
