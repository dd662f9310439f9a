#include "kernels/round.hpp"

#include "kernels/elements.cuh"
#include "kernels/half.cuh"

namespace arignote::device {
namespace {

template <class Half>
ARN_KERNEL round_elements(RoundArgs r) {
  const std::int64_t element = element_of_thread();
  if (element >= r.count || r.fault->step >= 0) return;
  const float value = reinterpret_cast<const float*>(r.from)[element];
  reinterpret_cast<Half*>(r.to)[element] = Half(value);
}

}  // namespace

int launch_round(const RoundArgs& args, DType to, Stream stream) {
  if (args.count == 0) return 0;
  return to == DType::kFloat16
             ? launch(round_elements<Float16>, grid_for(args.count), stream, args)
             : launch(round_elements<BFloat16>, grid_for(args.count), stream, args);
}

}  // namespace arignote::device
