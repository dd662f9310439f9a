// Quotients of floating-point numbers.

#include <cstddef>
#include <string_view>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_quotient.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

struct TrueDivide {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    return a / b;
  }
};

struct Invert {
  template <class T>
  static HWY_INLINE T apply(T a) {
    return T{1} / a;
  }
};

#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || (HWY_ARCH_ARM_A64 && HWY_TARGET < HWY_EMU128)
constexpr bool kFuses = true;
#else
constexpr bool kFuses = false;
#endif

// Numbers so far from the largest and the smallest that no step below over- or underflows.
template <class T>
constexpr T kLarge = static_cast<T>(sizeof(T) == sizeof(float) ? 0x1p40 : 0x1p300);
template <class T>
constexpr T kSmall = T{1} / kLarge<T>;

// The same quotients with multiplications. A quotient that is off by one unit in the last place at
// most becomes the nearest number if it is corrected by its remainder, which is exact where the
// processor fuses multiply-adds (P. Markstein, "Computation of elementary functions on the IBM RISC
// System/6000 processor", 1990); a first correction makes it that near.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V corrected(V dividend, V divisor, V reciprocal) {
  const V rough = hn::Mul(dividend, reciprocal);
  const V near = hn::MulAdd(hn::NegMulAdd(rough, divisor, dividend), reciprocal, rough);
  const V nearest = hn::MulAdd(hn::NegMulAdd(near, divisor, dividend), reciprocal, near);
  return hn::CopySign(nearest, rough);  // of a zero
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE auto is_moderate(D d, V v) {
  using T = hn::TFromD<D>;
  return hn::And(hn::Ge(v, hn::Set(d, kSmall<T>)), hn::Le(v, hn::Set(d, kLarge<T>)));
}

// By one divisor throughout, as pixels are divided by 255, with its reciprocal.
template <class T>
void divide(const void* const* in, void* out, std::size_t count) noexcept {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr std::size_t kWorthwhile = 8;
  if (!kFuses || count < kWorthwhile * lanes) {
    return map2<TrueDivide, T, T, T>(in, out, count);
  }
  const auto* a = static_cast<const T*>(in[0]);
  const auto* b = static_cast<const T*>(in[1]);
  auto* result = static_cast<T*>(out);
  const auto divisor = hn::LoadU(d, b);
  const auto reciprocal = hn::Div(hn::Set(d, T{1}), divisor);
  const bool has_reciprocal = hn::AllTrue(d, is_moderate(d, hn::Abs(divisor)));
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::LoadU(d, a + i);
    const auto y = hn::LoadU(d, b + i);
    const auto size = hn::Abs(x);
    const auto is_easy = hn::Or(is_moderate(d, size), hn::Eq(size, hn::Zero(d)));
    const bool all_easy = has_reciprocal && hn::AllTrue(d, hn::And(is_easy, hn::Eq(y, divisor)));
    hn::StoreU(HWY_LIKELY(all_easy) ? corrected<decltype(d)>(x, divisor, reciprocal)
                                    : hn::Div(x, y),
               d, result + i);
  }
  for (; i < count; ++i) result[i] = a[i] / b[i];
}

constexpr float kDivision = 6.0F;

template <class... T>
void add_divisions(BlockTable& table, Types<T...>) {
  (table.add("true_div", {dtype_of<T>(), dtype_of<T>()}, dtype_of<T>(), &divide<T>, kDivision),
   ...);
  (table.add("inv", {dtype_of<T>()}, dtype_of<T>(), &map1<Invert, T, T>, kDivision), ...);
}

}  // namespace

void list_quotient(BlockTable& table) { add_divisions(table, FloatTypes{}); }

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_quotient);
void append_quotient(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_quotient)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
