#include "kernels/index.hpp"

#include "kernels/elements.cuh"
#include "kernels/indices.cuh"

namespace arignote::device {
namespace {

template <class Item>
ARN_KERNEL take_elements(TakeArgs t) {
  const std::int64_t element = element_of_thread();
  if (element >= t.index.count * t.row || t.fault->step >= 0) return;
  const std::int64_t position = element / t.row;
  const std::int64_t offset =
      offset_at(t.index, position) + offset_along(t.axes, element - position * t.row);
  reinterpret_cast<Item*>(t.out)[element] = *reinterpret_cast<const Item*>(t.x + offset);
}

ARN_KERNEL place_elements(PlaceArgs p) {
  const std::int64_t position = element_of_thread();
  if (position >= p.index.count || p.fault->step >= 0) return;
  std::byte* const to = p.out + offset_at(p.index, position);
  const std::byte* const from = p.v + position * p.v_step;
  if (!p.adds) return move_element(p.dtype, from, to);
  store_bits(p.dtype, add_bits(p.dtype, load_bits(p.dtype, to), load_bits(p.dtype, from)), to);
}

}  // namespace

int launch_take(const TakeArgs& args, std::size_t item, Stream stream) {
  const std::int64_t elements = args.index.count * args.row;
  if (elements == 0) return 0;
  return visit_item(item, [&]<class Item>(std::type_identity<Item>) {
    return launch(take_elements<Item>, grid_for(elements), stream, args);
  });
}

int launch_place(const PlaceArgs& args, Stream stream) {
  if (args.index.count == 0) return 0;
  return launch(place_elements, grid_for(args.index.count), stream, args);
}

}  // namespace arignote::device
