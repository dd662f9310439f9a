// Reading integers of any dtype as positions.
#pragma once

#include "kernels/positions.hpp"

namespace arignote::device {

// Extended to 64 bits.
ARN_DEVICE std::int64_t read_integer(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::kInt8: return *reinterpret_cast<const std::int8_t*>(at);
    case DType::kInt16: return *reinterpret_cast<const std::int16_t*>(at);
    case DType::kInt32: return *reinterpret_cast<const std::int32_t*>(at);
    case DType::kUInt8: return *reinterpret_cast<const std::uint8_t*>(at);
    case DType::kUInt16: return *reinterpret_cast<const std::uint16_t*>(at);
    case DType::kUInt32: return *reinterpret_cast<const std::uint32_t*>(at);
    default: return *reinterpret_cast<const std::int64_t*>(at);
  }
}

ARN_DEVICE std::int64_t value_at(const Positions& p, std::int64_t i) {
  return read_integer(p.dtype, p.data + i * p.stride);
}

// From 0 on if it is in range.
ARN_DEVICE std::int64_t position_at(const Positions& p, std::int64_t i) {
  const std::int64_t value = value_at(p, i);
  return value < 0 && p.dtype < DType::kUInt8 ? value + p.length : value;
}

}  // namespace arignote::device
