// Philox4x64-10, a generator that has no state but a counter: Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3" (2011). A key and a counter give a block of four
// words, whatever was computed before. numpy.random.Philox gives the same.
#pragma once

#include <cstdint>

namespace arignote {

struct PhiloxState {
  std::uint64_t key[2];
  std::uint64_t counter;  // of the block before the next one
};

inline constexpr int kPhiloxWords = 4;

struct PhiloxBlock {
  std::uint64_t words[kPhiloxWords];
};

namespace philox {

// Devices run these as well, as they run whatever is constexpr.
__extension__ typedef unsigned __int128 Wide;

constexpr PhiloxBlock round_of(const PhiloxBlock& x, std::uint64_t key0, std::uint64_t key1) {
  constexpr std::uint64_t kFactor0 = 0xD2E7470EE14C6C93;
  constexpr std::uint64_t kFactor1 = 0xCA5A826395121157;
  const Wide product0 = static_cast<Wide>(kFactor0) * x.words[0];
  const Wide product1 = static_cast<Wide>(kFactor1) * x.words[2];
  return {static_cast<std::uint64_t>(product1 >> 64) ^ x.words[1] ^ key0,
          static_cast<std::uint64_t>(product1),
          static_cast<std::uint64_t>(product0 >> 64) ^ x.words[3] ^ key1,
          static_cast<std::uint64_t>(product0)};
}

}  // namespace philox

// The block that comes `index` blocks after the next one.
constexpr PhiloxBlock philox_block(const PhiloxState& state, std::uint64_t index) {
  constexpr std::uint64_t kStep0 = 0x9E3779B97F4A7C15;  // the golden ratio
  constexpr std::uint64_t kStep1 = 0xBB67AE8584CAA73B;  // the square root of three, less one
  constexpr int kRounds = 10;
  const std::uint64_t count = state.counter + index + 1;
  PhiloxBlock block{{count, count <= index ? 1U : 0U, 0, 0}};  // the counter has further words
  std::uint64_t key0 = state.key[0];
  std::uint64_t key1 = state.key[1];
  for (int round = 0; round < kRounds; ++round) {
    block = philox::round_of(block, key0, key1);
    key0 += kStep0;
    key1 += kStep1;
  }
  return block;
}

// How many numbers in [0, 1) a block gives.
template <class T>
inline constexpr int kPhiloxNumbers = kPhiloxWords * 8 / static_cast<int>(sizeof(T));

// One of them: of a word its upper 53 bits make a double. Of its halves, the lower one first, the
// upper 24 bits make a float each.
template <class T>
constexpr T philox_number(const PhiloxBlock& block, int position);

template <>
constexpr double philox_number<double>(const PhiloxBlock& block, int position) {
  return static_cast<double>(static_cast<std::int64_t>(block.words[position] >> 11)) * 0x1p-53;
}

template <>
constexpr float philox_number<float>(const PhiloxBlock& block, int position) {
  const auto half = static_cast<std::uint32_t>(block.words[position / 2] >> (position % 2 * 32));
  return static_cast<float>(static_cast<std::int32_t>(half >> 8)) * 0x1p-24F;
}

}  // namespace arignote
