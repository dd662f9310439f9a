#include "kernels/small_programs.hpp"

#include "kernels/elements.cuh"
#include "kernels/interpreter.cuh"

namespace arignote::device {
namespace {

using Shared = SharedLaunch<kMostSmallPrograms>;

ARN_KERNEL run_small_programs(ARN_ARGUMENT(SmallPrograms, all), ARN_ARGUMENT(Shared, shared)) {
  if (has_failed(all.fault)) return;
  const auto [item, element] = element_of_thread(shared);
  if (element < all.items[item].count) interpret_element(all.items[item], element);
}

}  // namespace

int launch_small_programs(const SmallPrograms& programs, Stream stream) {
  Shared shared;
  for (int i = 0; i < programs.count; ++i) shared.add(programs.items[i].count);
  return launch(run_small_programs, {.blocks = shared.blocks}, stream, programs, shared);
}

}  // namespace arignote::device
