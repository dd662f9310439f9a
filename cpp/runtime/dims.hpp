// The integers of a plan: sizes, strides and offsets, as registers over what a call brings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace arignote {

enum class DimOp : std::uint8_t {
  kConst,   // a itself
  kShape,   // length of axis b of buffer a
  kStride,  // stride of axis b of buffer a, in bytes
  kValue,   // value of buffer a, a 0-d integer that is there when the call starts
  kRead,    // value of buffer a, a 0-d integer that a step computes
  kAdd,     // from here on a and b are registers
  kSub,
  kMul,
  kSize,
  kFloorDiv,
  kMod,
  kMin,
  kMax,
  kWrap,
  kEq,
  kLt,
  kInt8,  // from here on only a
  kInt16,
  kInt32,
};

constexpr bool is_source(DimOp op) { return op <= DimOp::kRead; }
constexpr bool is_binary(DimOp op) { return op >= DimOp::kAdd && op <= DimOp::kLt; }

std::optional<DimOp> dim_op_from_name(std::string_view name);

struct Dim {
  DimOp op = DimOp::kConst;
  std::int64_t a = 0;
  std::int64_t b = 0;
};

// The value of a dim that is not a source. Sums and products wrap around, but for kSize, a product
// that stays at the bound; division rounds towards minus infinity and gives 0 when it is by 0.
std::int64_t evaluate(const Dim& dim, std::span<const std::int64_t> registers);

}  // namespace arignote
