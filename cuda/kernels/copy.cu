#include "kernels/copy.cuh"
#include "kernels/elements.cuh"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {
namespace {

template <class Item>
ARN_KERNEL copy_elements(CopyArgs c) {
  const std::int64_t element = element_of_thread();
  if (element >= c.count || c.fault->step >= 0) return;
  const CopyOffsets at(c, element);
  *reinterpret_cast<Item*>(c.to + at.to) = *reinterpret_cast<const Item*>(c.from + at.from);
}

ARN_KERNEL add_elements(CopyArgs c, DType dtype) {
  const std::int64_t element = element_of_thread();
  if (element >= c.count || c.fault->step >= 0) return;
  const CopyOffsets at(c, element);
  std::byte* const to = c.to + at.to;
  store_bits(dtype, add_bits(dtype, load_bits(dtype, to), load_bits(dtype, c.from + at.from)), to);
}

// Integers wrap; floats are rounded once.
ARN_KERNEL fill_range(ArangeArgs a) {
  const std::int64_t element = element_of_thread();
  if (element >= a.count || a.fault->step >= 0) return;
  const Bits start = load_bits(a.dtype, a.start);
  const Bits step = load_bits(a.dtype, a.step);
  std::byte* const out = a.out + element * a.out_step;
  if (a.dtype == DType::kBool) {
    store_bits(a.dtype, start | (element != 0 ? step : 0), out);
  } else if (a.dtype >= DType::kFloat16) {
    const bool is_double = a.dtype == DType::kFloat64;
    const double first = is_double ? value_of<double>(start) : value_of<float>(start);
    const double pace = is_double ? value_of<double>(step) : value_of<float>(step);
    const double value = first + static_cast<double>(element) * pace;
    store_bits(a.dtype, cast(bits_of(value), DType::kFloat64, a.dtype), out);
  } else {
    store_bits(a.dtype, start + static_cast<Bits>(element) * step, out);
  }
}

}  // namespace

int load_copies() {
  int error = 0;
  for (const std::size_t item : {1, 2, 4, 8, 16}) {
    if (error != 0) return error;
    error = visit_item(
        item, []<class Item>(std::type_identity<Item>) { return load(copy_elements<Item>); });
  }
  return error;
}

int launch_copy(const CopyArgs& args, std::size_t item, Stream stream) {
  if (args.count == 0) return 0;
  return visit_item(item, [&]<class Item>(std::type_identity<Item>) {
    return launch(copy_elements<Item>, grid_for(args.count), stream, args);
  });
}

int launch_add(const CopyArgs& args, DType dtype, Stream stream) {
  if (args.count == 0) return 0;
  return launch(add_elements, grid_for(args.count), stream, args, dtype);
}

int launch_arange(const ArangeArgs& args, Stream stream) {
  if (args.count == 0) return 0;
  return launch(fill_range, grid_for(args.count), stream, args);
}

}  // namespace arignote::device
