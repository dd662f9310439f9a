// Blocks full of one number. They are written with the vectors that operations read them with: a
// wide load waits for narrower stores.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/block.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_fill.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

#include "kernels/block_loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

template <class Word>
void fill(const void* const* in, void* out, std::size_t count) noexcept {
  Word word;
  std::memcpy(&word, in[0], sizeof(Word));
  auto* result = static_cast<Word*>(out);
  ARN_INDEPENDENT_LOOP
  for (std::size_t i = 0; i < count; ++i) result[i] = word;
}

}  // namespace

BlockFn fill_of(std::size_t item) {
  switch (item) {
    case 1: return &fill<std::uint8_t>;
    case 2: return &fill<std::uint16_t>;
    case 4: return &fill<std::uint32_t>;
    default: return &fill<std::uint64_t>;
  }
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
HWY_EXPORT(fill_of);
BlockFn find_fill(std::size_t item) { return HWY_DYNAMIC_DISPATCH(fill_of)(item); }
}  // namespace arignote
#endif  // HWY_ONCE
