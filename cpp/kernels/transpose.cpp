#include "kernels/transpose.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/transpose.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

template <class T>
void transpose_matrix(const std::byte* from, std::int64_t from_stride, std::int64_t rows,
                      std::int64_t columns, std::byte* to, std::int64_t to_stride) noexcept {
  transpose<T>({from, from_stride}, rows, columns, {to, to_stride});
}

}  // namespace

TransposeFn transpose_for(std::int64_t item) {
  return item == 4 ? &transpose_matrix<std::uint32_t> : &transpose_matrix<std::uint64_t>;
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(transpose_for);

TransposeFn transpose_of(std::int64_t item) { return HWY_DYNAMIC_DISPATCH(transpose_for)(item); }

}  // namespace arignote
#endif  // HWY_ONCE
