#include "kernels/copy.hpp"

namespace arignote::device {
namespace {

struct Bytes16 {
  std::uint64_t low;
  std::uint64_t high;
};

template <class Item>
ARN_KERNEL copy_elements(CopyArgs c) {
  std::int64_t rest = block_index() * block_threads() + thread_index();
  if (rest >= c.count || c.fault->step >= 0) return;
  std::int64_t to = 0;
  std::int64_t from = 0;
  for (int axis = c.ndim - 1; axis >= 0; --axis) {
    const std::int64_t above = rest / c.shape[axis];
    const std::int64_t index = rest - above * c.shape[axis];
    rest = above;
    to += index * c.to_strides[axis];
    from += index * c.from_strides[axis];
  }
  *reinterpret_cast<Item*>(c.to + to) = *reinterpret_cast<const Item*>(c.from + from);
}

}  // namespace

int launch_copy(const CopyArgs& args, std::size_t item, Stream stream) {
  if (args.count == 0) return 0;
  const Grid grid{.blocks = (args.count + kBlockThreads - 1) / kBlockThreads};
  switch (item) {
    case 1: return launch(copy_elements<std::uint8_t>, grid, stream, args);
    case 2: return launch(copy_elements<std::uint16_t>, grid, stream, args);
    case 4: return launch(copy_elements<std::uint32_t>, grid, stream, args);
    case 8: return launch(copy_elements<std::uint64_t>, grid, stream, args);
    default: return launch(copy_elements<Bytes16>, grid, stream, args);
  }
}

}  // namespace arignote::device
