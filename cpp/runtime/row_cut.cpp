#include "runtime/row_cut.hpp"

#include <algorithm>
#include <vector>

#include "core/division.hpp"
#include "core/parallel.hpp"
#include "runtime/binding.hpp"
#include "runtime/frame.hpp"

namespace arignote {
namespace {

// What a block and all that stays with it may take of a cache of its core.
constexpr std::int64_t kCacheBytes = 256 << 10;
// Temporaries of blocks that run one after the other, when what stays is larger than that: products
// with a large factor read it once for each block, so the more rows the better.
constexpr std::int64_t kMostBytes = 40 << 20;
constexpr std::int64_t kLeastRows = 16;
// Kernels work on a few rows at a time, of which one alone takes as long as two.
constexpr std::int64_t kTileRows = 2;
constexpr std::int64_t kMostRows = 4096;

std::int64_t count_rows(std::span<const Layout> inputs, std::span<const std::int64_t> cut) {
  std::int64_t rows = kAsTheyAre;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (cut[i] < 0) continue;
    const std::int64_t length = inputs[i].shape[cut[i]];
    if (rows != kAsTheyAre && length != rows) return kAsTheyAre;
    rows = length;
  }
  return rows;
}

// Blocks of about one length. None has one row alone: it would be without a stride between rows, by
// which kernels choose the form that all blocks share.
std::int64_t even_block(std::int64_t rows, std::int64_t most, bool wants_lanes) {
  std::int64_t blocks = ceil_div(rows, most);
  if (blocks > 1 && wants_lanes) {
    // Blocks that are a little larger do less harm than more of them.
    const std::int64_t fewer = blocks / kTogether * kTogether;
    blocks = fewer * 5 / 4 >= blocks ? fewer : round_up(blocks, kTogether);
  }
  std::int64_t block = std::max(round_up(ceil_div(rows, blocks), kTileRows), kLeastRows);
  while (rows % block == 1) block += kTileRows;
  return std::min(block, rows);
}

}  // namespace

Status measure(const Program& body, std::span<const Layout> inputs,
               std::span<const std::int64_t> cut, std::int64_t length, std::int64_t& bytes) {
  Frame frame(body);
  std::vector<Layout> layouts(inputs.begin(), inputs.end());
  std::vector<Source> sources;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    if (cut[i] >= 0) layouts[i].shape[cut[i]] = length;
    sources.push_back({.shape = layouts[i].shape.data(), .strides = layouts[i].strides.data()});
  }
  frame.take(sources);
  const Segment& segment = body.schedule.segments.front();
  if (const Status status = frame.settle(segment); !status.ok()) return status;
  bytes = 0;
  for (const int id : segment.slots) bytes += bytes_of(frame.layouts()[id]);
  return {};
}

Status cut_rows(const Program& body, std::span<const Layout> inputs,
                std::span<const std::int64_t> cut, std::int64_t sum_bytes, RowCut& result) {
  const std::int64_t rows = count_rows(inputs, cut);
  result = {.rows = rows, .block = rows};
  if (rows <= kLeastRows) return {};
  const std::int64_t sample = std::min<std::int64_t>(rows, 64);
  std::int64_t temporary = 0;
  if (const Status status = measure(body, inputs, cut, sample, temporary); !status.ok()) {
    return status;
  }
  temporary /= sample;
  std::int64_t row = temporary;
  std::int64_t fixed = sum_bytes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::int64_t bytes = bytes_of(inputs[i]);
    cut[i] >= 0 ? row += bytes / rows : fixed += bytes;
  }
  // A device has no such caches, and wants much to do at a time.
  const bool on_device = body.backend != nullptr;
  result.wants_lanes = !on_device && fixed <= kCacheBytes;
  const std::int64_t bytes = on_device ? body.backend->block_bytes() : kMostBytes;
  const std::int64_t most = result.wants_lanes ? kCacheBytes / std::max<std::int64_t>(1, row)
                                               : bytes / std::max<std::int64_t>(1, temporary);
  if (result.wants_lanes || rows > most) {
    const std::int64_t at_once = on_device ? rows : kMostRows;
    result.block = even_block(rows, std::clamp(most, kLeastRows, at_once), result.wants_lanes);
  }
  return {};
}

}  // namespace arignote
