// The first elements of a vector, from and to memory that ends behind them. Compiled once per SIMD
// target: include after hwy/foreach_target.h and hwy/highway.h.

#if defined(ARN_PARTIAL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_PARTIAL_INL
#undef ARN_PARTIAL_INL
#else
#define ARN_PARTIAL_INL
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#undef ARN_MASKED_MEMORY
// AVX loads and stores under a mask do not touch the lanes that are off; the others' would.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
#define ARN_MASKED_MEMORY 1
#else
#define ARN_MASKED_MEMORY 0
#endif

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* from, std::size_t count, T rest) {
#if ARN_MASKED_MEMORY
  const auto mask = hn::FirstN(d, count);
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, from), hn::Set(d, rest));
#else
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(hn::Set(d, rest), d, lanes);
  for (std::size_t i = 0; i < count; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#endif
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* to, std::size_t count) {
#if ARN_MASKED_MEMORY
  hn::BlendedStore(v, hn::FirstN(d, count), d, to);
#else
  // GCC cannot tell that no more of them are read than were stored.
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)] = {};
  hn::Store(v, d, lanes);
  for (std::size_t i = 0; i < count; ++i) to[i] = lanes[i];
#endif
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_PARTIAL_INL
