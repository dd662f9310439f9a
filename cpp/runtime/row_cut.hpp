// How rows are cut into blocks.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/verify.hpp"

namespace arignote {

// Instead of a number of rows: no input is cut.
inline constexpr std::int64_t kAsTheyAre = -1;

struct RowCut {
  std::int64_t rows = kAsTheyAre;  // where operands have different lengths, too: what that means
                                   // is the body's affair
  std::int64_t block = kAsTheyAre;  // rows of each, but for the last, which may have fewer
  bool wants_lanes = false;  // blocks run on several threads, each all of the body; else one after
                             // the other
};

// Bytes of all temporaries if inputs are so long along the axes by which they are cut.
Status measure(const Program& body, std::span<const Layout> inputs,
               std::span<const std::int64_t> cut, std::int64_t length, std::int64_t& bytes);

// `cut` has the axis of each input along which it is cut, -1 for none. `sum_bytes` are those of all
// outputs that are sums.
Status cut_rows(const Program& body, std::span<const Layout> inputs,
                std::span<const std::int64_t> cut, std::int64_t sum_bytes, RowCut& result);

}  // namespace arignote
