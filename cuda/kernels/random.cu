#include "kernels/random.hpp"

#include "core/philox.hpp"

namespace arignote::device {
namespace {

// What a thread writes at once.
constexpr int kPieceBytes = 16;
template <class T>
inline constexpr int kPieceNumbers = kPieceBytes / static_cast<int>(sizeof(T));
template <class T>
struct alignas(kPieceBytes) Piece {
  T numbers[kPieceNumbers<T>];
};

// As much of it as there is room for.
template <class T>
ARN_DEVICE void store_piece(const Piece<T>& piece, T* out, std::int64_t room) {
  if (room >= kPieceNumbers<T>) {
    *reinterpret_cast<Piece<T>*>(out) = piece;
    return;
  }
  for (int i = 0; i < kPieceNumbers<T>; ++i) {
    if (i < room) out[i] = piece.numbers[i];
  }
}

// A thread for each block of words, and the first one even if there is none.
template <class T>
ARN_KERNEL fill_uniform(UniformArgs u) {
  if (u.fault->step >= 0) return;
  constexpr std::int64_t kNumbers = kPhiloxNumbers<T>;
  const auto word = [&](std::int64_t position) {
    return *reinterpret_cast<const std::uint64_t*>(u.state + position * u.stride);
  };
  const PhiloxState state{{word(0), word(1)}, word(2)};
  const std::int64_t thread = block_index() * block_threads() + thread_index();
  if (thread == 0) {
    u.next[0] = state.key[0];
    u.next[1] = state.key[1];
    u.next[2] = state.counter + static_cast<std::uint64_t>((u.count + kNumbers - 1) / kNumbers);
  }
  const std::int64_t first = thread * kNumbers;
  if (first >= u.count) return;
  const PhiloxBlock block = philox_block(state, static_cast<std::uint64_t>(thread));
  ARN_UNROLL
  for (int begin = 0; begin < kPhiloxNumbers<T>; begin += kPieceNumbers<T>) {
    Piece<T> piece;
    ARN_UNROLL
    for (int i = 0; i < kPieceNumbers<T>; ++i) {
      piece.numbers[i] = philox_number<T>(block, begin + i);
    }
    store_piece(piece, reinterpret_cast<T*>(u.out) + first + begin, u.count - first - begin);
  }
}

template <class T>
int launch_of(const UniformArgs& args, Stream stream) {
  constexpr std::int64_t kBlockNumbers = std::int64_t{kBlockThreads} * kPhiloxNumbers<T>;
  const std::int64_t blocks = args.count == 0 ? 1 : (args.count - 1) / kBlockNumbers + 1;
  return launch(fill_uniform<T>, {.blocks = blocks}, stream, args);
}

}  // namespace

int launch_uniform(const UniformArgs& args, Stream stream) {
  return args.dtype == DType::kFloat64 ? launch_of<double>(args, stream)
                                       : launch_of<float>(args, stream);
}

}  // namespace arignote::device
