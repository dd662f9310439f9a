// What device code uses of the C++ standard library, for a compiler that comes without it: NVRTC,
// which is given this as each of the headers that are included.
#ifndef ARIGNOTE_LIBRARY
#define ARIGNOTE_LIBRARY

namespace std {

using int8_t = signed char;
using int16_t = short;
using int32_t = int;
using int64_t = long long;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using uint64_t = unsigned long long;
using size_t = decltype(sizeof(0));
enum class byte : unsigned char {};

template <class A, class B>
inline constexpr bool is_same_v = false;
template <class A>
inline constexpr bool is_same_v<A, A> = true;
template <class T>
inline constexpr bool is_floating_point_v = is_same_v<T, float> || is_same_v<T, double>;
template <class T>
inline constexpr bool is_signed_v = T(-1) < T(0);
template <class T>
inline constexpr bool is_unsigned_v = !is_signed_v<T>;

template <class T>
struct numeric_limits {
  static constexpr bool kIsSigned = is_signed_v<T>;
  static constexpr T max() {
    return kIsSigned ? T(~(uint64_t{1} << (8 * sizeof(T) - 1))) : T(~uint64_t{0});
  }
  static constexpr T min() { return T(~max()); }
};
template <>
struct numeric_limits<float> {
  static constexpr float max() { return 0x1.fffffep127F; }
};
template <>
struct numeric_limits<double> {
  static constexpr double max() { return 0x1.fffffffffffffp1023; }
  static double infinity() { return __longlong_as_double(0x7ff0000000000000); }
};

using ::acos, ::acosh, ::asin, ::asinh, ::atan, ::atan2, ::atanh, ::ceil, ::copysign, ::cos, ::cosh,
    ::exp, ::exp2, ::expm1, ::fabs, ::floor, ::fmod, ::log, ::log10, ::log1p, ::log2, ::memcpy,
    ::pow, ::rint, ::sin, ::sinh, ::sqrt, ::tan, ::tanh, ::trunc;

}  // namespace std

#endif
