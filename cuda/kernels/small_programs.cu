#include "kernels/small_programs.hpp"

#include "kernels/elements.cuh"
#include "kernels/interpreter.cuh"

namespace arignote::device {
namespace {

ARN_KERNEL run_small_programs(ARN_ARGUMENT(SmallPrograms, all)) {
  if (has_failed(all.fault)) return;
  int number = all.count - 1;
  while (block_index() < all.first_blocks[number]) --number;
  const std::int64_t block = block_index() - all.first_blocks[number];
  const std::int64_t element = block * block_threads() + thread_index();
  if (element < all.items[number].count) interpret_element(all.items[number], element);
}

}  // namespace

int launch_small_programs(SmallPrograms programs, Stream stream) {
  std::int64_t blocks = 0;
  for (int i = 0; i < programs.count; ++i) {
    programs.first_blocks[i] = blocks;
    blocks += grid_for(programs.items[i].count).blocks;
  }
  return launch(run_small_programs, {.blocks = blocks}, stream, programs);
}

}  // namespace arignote::device
