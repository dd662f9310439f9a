// Conversions between any two dtypes, with the results NumPy gives on x86: integers wrap, floating
// point truncates, and what does not fit becomes what the processor's conversion makes of it.
// float16 is converted by way of float, which is exact, or rounds what comes out right; and so is
// bfloat16, which NumPy rounds from a float, too.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/block_table.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_cast.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"
#include "kernels/half-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// Towards zero; NaN and whatever does not fit give the least integer.
template <class Integer, class Float>
HWY_INLINE Integer truncate(Float a) {
  constexpr auto kLimit = static_cast<Float>(std::uint64_t{1} << (8 * sizeof(Integer) - 1));
  return static_cast<Integer>(((a >= -kLimit) & (a < kLimit)) ? a : -kLimit);
}

// Covers the unsigned range; negative numbers wrap.
template <class Unsigned, class Float>
HWY_INLINE Unsigned truncate_unsigned(Float a) {
  constexpr Unsigned kTopBit = Unsigned{1} << (8 * sizeof(Unsigned) - 1);
  constexpr auto kTop = static_cast<Float>(kTopBit);
  const bool high = a >= kTop;
  const auto low = truncate<std::make_signed_t<Unsigned>>(high ? a - kTop : a);
  return static_cast<Unsigned>(low) ^ (high ? kTopBit : Unsigned{0});
}

struct Cast {
  template <class To, class From>
  static HWY_INLINE To apply(From a) {
    if constexpr (std::is_integral_v<From> || std::is_floating_point_v<To>) {
      return static_cast<To>(a);
    } else if constexpr (sizeof(To) < 4) {
      return static_cast<To>(truncate<std::int32_t>(a));
    } else if constexpr (std::is_signed_v<To>) {
      return truncate<To>(a);
    } else {
      return truncate_unsigned<To>(a);
    }
  }
};

struct NonZero {
  template <class To, class From>
  static HWY_INLINE To apply(From a) {
    return static_cast<To>(a != 0);
  }
};

// Only a widening conversion depends on the sign of the source, and only one of floating point on
// that of the result.
template <class To, class From>
constexpr BlockFn cast_loop() {
  constexpr bool kIntegers = !std::is_floating_point_v<From> && !std::is_floating_point_v<To>;
  if constexpr (std::is_same_v<To, bool>) {
    return &map1<NonZero, std::uint8_t, Wrapping<From>>;
  } else if constexpr (kIntegers && sizeof(To) <= sizeof(From)) {
    return &map1<Cast, Wrapping<To>, Wrapping<From>>;
  } else if constexpr (kIntegers) {
    return &map1<Cast, Wrapping<To>, Stored<From>>;
  } else {
    return &map1<Cast, Stored<To>, Stored<From>>;
  }
}

// Floats on their way from or to a dtype of 16 bits.
constexpr std::size_t kChunk = 256;

struct Float16 {
  static constexpr DType kDType = DType::kFloat16;
  static constexpr auto kWiden = &widen;
  static constexpr auto kNarrow = &narrow;
};

struct BFloat16 {
  static constexpr DType kDType = DType::kBFloat16;
  static constexpr auto kWiden = &widen_bfloat;
  static constexpr auto kNarrow = &narrow_bfloat;
};

// NumPy takes 64 bits of a float16 that does not fit, not 32 as of other floats.
struct CastLow {
  template <class To, class From>
  static HWY_INLINE To apply(From a) {
    return static_cast<To>(truncate<std::int64_t>(a));
  }
};

template <class Short, class To>
constexpr BlockFn loop_from_float() {
  constexpr bool kIsHalf = std::is_same_v<Short, Float16>;
  if constexpr (kIsHalf && std::is_same_v<To, std::uint32_t>) return &map1<CastLow, To, float>;
  return cast_loop<To, float>();
}

// A bfloat16 is made of a double that was rounded to float, as ml_dtypes does.
template <class Short, class From>
constexpr BlockFn loop_to_float() {
  constexpr bool kIsHalf = std::is_same_v<Short, Float16>;
  if constexpr (kIsHalf && std::is_same_v<From, double>) return &map1<RoundToOdd, float, double>;
  return cast_loop<float, From>();
}

template <class Short, class To>
void from_short(const void* const* in, void* out, std::size_t count) noexcept {
  const auto* from = static_cast<const std::uint16_t*>(in[0]);
  auto* to = static_cast<Stored<To>*>(out);
  if constexpr (std::is_same_v<To, float>) {
    Short::kWiden(from, to, count);
  } else {
    HWY_ALIGN float floats[kChunk];
    for (std::size_t i = 0; i < count; i += kChunk) {
      const std::size_t some = count - i < kChunk ? count - i : kChunk;
      Short::kWiden(from + i, floats, some);
      const void* source = floats;
      loop_from_float<Short, To>()(&source, to + i, some);
    }
  }
}

template <class Short, class From>
void to_short(const void* const* in, void* out, std::size_t count) noexcept {
  const auto* from = static_cast<const Stored<From>*>(in[0]);
  auto* to = static_cast<std::uint16_t*>(out);
  if constexpr (std::is_same_v<From, float>) {
    Short::kNarrow(from, to, count);
  } else {
    HWY_ALIGN float floats[kChunk];
    for (std::size_t i = 0; i < count; i += kChunk) {
      const std::size_t some = count - i < kChunk ? count - i : kChunk;
      const void* source = from + i;
      loop_to_float<Short, From>()(&source, floats, some);
      Short::kNarrow(floats, to + i, some);
    }
  }
}

template <class From, class To>
void between_shorts(const void* const* in, void* out, std::size_t count) noexcept {
  const auto* from = static_cast<const std::uint16_t*>(in[0]);
  auto* to = static_cast<std::uint16_t*>(out);
  HWY_ALIGN float floats[kChunk];
  for (std::size_t i = 0; i < count; i += kChunk) {
    const std::size_t some = count - i < kChunk ? count - i : kChunk;
    From::kWiden(from + i, floats, some);
    To::kNarrow(floats, to + i, some);
  }
}

template <class Short, class... T>
void add_short_casts(BlockTable& table, Types<T...>) {
  constexpr DType kShort = Short::kDType;
  table.add("cast", {kShort}, kShort, &map1<Cast, std::uint16_t, std::uint16_t>, 1.0F);
  (table.add("cast", {kShort}, dtype_of<T>(), &from_short<Short, T>, 3.0F), ...);
  (table.add("cast", {dtype_of<T>()}, kShort, &to_short<Short, T>, 6.0F), ...);
}

template <class From, class To>
void add_cast_between(BlockTable& table) {
  table.add("cast", {From::kDType}, To::kDType, &between_shorts<From, To>, 9.0F);
}

template <class From, class... To>
void add_casts_from(BlockTable& table, Types<To...>) {
  (table.add("cast", {dtype_of<From>()}, dtype_of<To>(), cast_loop<To, From>(), 2.0F), ...);
}

template <class... From>
void add_casts(BlockTable& table, Types<From...> types) {
  (add_casts_from<From>(table, types), ...);
}

}  // namespace

void list_cast(BlockTable& table) {
  add_casts(table, AllTypes{});
  add_short_casts<Float16>(table, AllTypes{});
  add_short_casts<BFloat16>(table, AllTypes{});
  add_cast_between<Float16, BFloat16>(table);
  add_cast_between<BFloat16, Float16>(table);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(list_cast);
void append_cast(BlockTable& table) { HWY_DYNAMIC_DISPATCH(list_cast)(table); }
}  // namespace arignote
#endif  // HWY_ONCE
