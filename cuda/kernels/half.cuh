// Halves for kernels that read much of them: as core/half.hpp, but for the bits of NaNs, and
// float16 by the device's own instructions.
#pragma once

#include <cstdint>

#include "core/half.hpp"
#include "device/language.cuh"

namespace arignote::device {

class Float16 {
 public:
  ARN_DEVICE explicit Float16(float value) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits_) : "f"(value));
#else
    bits_ = narrowed(value);
#endif
  }
  ARN_DEVICE explicit operator float() const {
#ifdef __CUDA_ARCH__
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits_));
    return value;
#else
    return widened(bits_);
#endif
  }

 private:
  std::uint16_t bits_;
};
static_assert(sizeof(Float16) == 2);

class BFloat16 {
 public:
  ARN_DEVICE explicit BFloat16(float value) : bits_(narrowed_bfloat(value)) {}
  ARN_DEVICE explicit operator float() const { return widened_bfloat(bits_); }

 private:
  std::uint16_t bits_;
};
static_assert(sizeof(BFloat16) == 2);

}  // namespace arignote::device
