// Keeping vectors in registers. Compiled once per SIMD target: include after hwy/foreach_target.h
// and hwy/highway.h.

#if defined(ARN_REGISTERS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_REGISTERS_INL
#undef ARN_REGISTERS_INL
#else
#define ARN_REGISTERS_INL
#endif

#include "hwy/highway.h"

// An array of vectors lives in registers only if the loops over it, of constant length, are gone
// early.
#undef ARN_UNROLL
#if defined(__clang__)
#define ARN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ARN_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// GCC would load such a vector again for each of its uses, and run out of load ports.
template <class V>
HWY_INLINE V in_register(V v) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL && HWY_TARGET != HWY_EMU128
  asm("" : "+v"(v.raw));
#endif
  return v;
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_REGISTERS_INL
