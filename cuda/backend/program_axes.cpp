#include "backend/program_axes.hpp"

#include <algorithm>

#include "device/language.cuh"

namespace arignote::device {
namespace {

// Fewer results than a warp has threads are not taken by neighbouring threads, and fewer elements
// than this not by a block.
constexpr std::int64_t kFewResults = kWarpThreads;
constexpr std::int64_t kFewElements = 64;

}  // namespace

std::vector<std::int64_t> ProgramAxes::numbers() const {
  std::vector<std::int64_t> all = lengths;
  for (const Strides& own : strides) all.insert(all.end(), own.begin(), own.end());
  return all;
}

ProgramAxes lay_out_axes(std::span<const std::int64_t> shape, std::vector<Strides> operands,
                         std::uint32_t mask) {
  ProgramAxes axes;
  std::vector<int> kept, reduced;
  for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
    const bool is_reduced = (mask >> axis & 1U) != 0;
    (is_reduced ? axes.reduced : axes.kept) *= shape[axis];
    if (shape[axis] != 1) (is_reduced ? reduced : kept).push_back(axis);
  }
  const bool is_inner = kept.empty() || reduced.empty() || kept.back() < reduced.back();
  // A block for each result is more than a launch may have if there are too many.
  axes.is_by_rows = mask != 0 && axes.kept <= kMostBlocks &&
                    (axes.kept < kFewResults || (is_inner && axes.reduced >= kFewElements));
  std::vector<int> order = axes.is_by_rows ? kept : reduced;
  const std::vector<int>& inner = axes.is_by_rows ? reduced : kept;
  const std::size_t border = order.size();
  order.insert(order.end(), inner.begin(), inner.end());

  axes.strides.resize(operands.size());
  const auto add_axis = [&] {
    axes.lengths.push_back(1);
    for (Strides& own : axes.strides) own.push_back(0);
  };
  for (std::size_t i = 0; i < order.size(); ++i) {
    const int axis = order[i];
    const bool joins =
        i > 0 && i != border && std::ranges::all_of(operands, [&](const Strides& operand) {
          return operand[order[i - 1]] == operand[axis] * shape[axis];
        });
    if (!joins) add_axis();
    if (i < border) axes.border = static_cast<int>(axes.lengths.size());
    axes.lengths.back() *= shape[axis];
    for (std::size_t n = 0; n < operands.size(); ++n) axes.strides[n].back() = operands[n][axis];
  }
  if (axes.lengths.empty()) add_axis();
  return axes;
}

}  // namespace arignote::device
