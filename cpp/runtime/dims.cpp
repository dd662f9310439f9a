#include "runtime/dims.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace arignote {
namespace {

constexpr std::array<std::string_view, 19> kNames = {
    "const", "shape", "stride", "value", "read", "add", "sub",  "mul",   "size", "floordiv",
    "mod",   "min",   "max",    "wrap",  "eq",   "lt",  "int8", "int16", "int32"};

__extension__ typedef __int128 Wide;  // no operation here overflows it

std::int64_t bounded(Wide value) {
  using Limits = std::numeric_limits<std::int64_t>;
  return static_cast<std::int64_t>(std::clamp<Wide>(value, Limits::min(), Limits::max()));
}

std::int64_t wrapped(Wide value) { return static_cast<std::int64_t>(value); }

Wide floor_divide(Wide a, Wide b) {
  const Wide quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

}  // namespace

std::optional<DimOp> dim_op_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<DimOp>(found - kNames.begin());
}

std::int64_t evaluate(const Dim& dim, std::span<const std::int64_t> registers) {
  const std::int64_t a = registers[static_cast<std::size_t>(dim.a)];
  const std::int64_t b = is_binary(dim.op) ? registers[static_cast<std::size_t>(dim.b)] : 0;
  switch (dim.op) {
    case DimOp::kAdd: return wrapped(Wide{a} + b);
    case DimOp::kSub: return wrapped(Wide{a} - b);
    case DimOp::kMul: return wrapped(Wide{a} * b);
    case DimOp::kSize: return bounded(Wide{a} * b);
    case DimOp::kFloorDiv: return b == 0 ? 0 : wrapped(floor_divide(a, b));
    case DimOp::kMod: return b == 0 ? 0 : wrapped(Wide{a} - floor_divide(a, b) * b);
    case DimOp::kMin: return std::min(a, b);
    case DimOp::kMax: return std::max(a, b);
    case DimOp::kWrap: return a < 0 ? wrapped(Wide{a} + b) : a;
    case DimOp::kEq: return a == b;
    case DimOp::kLt: return a < b;
    case DimOp::kInt8: return static_cast<std::int8_t>(a);
    case DimOp::kInt16: return static_cast<std::int16_t>(a);
    case DimOp::kInt32: return static_cast<std::int32_t>(a);
    default: return 0;
  }
}

}  // namespace arignote
