#include <array>
#include <span>
#include <string_view>

#include "kernels/kernel.hpp"
#include "kernels/tables.hpp"

namespace arignote {

std::span<const std::span<const KernelEntry>> kernel_tables() {
  static const std::array tables = {
      elementwise_kernels(), shape_kernels(), index_kernels(), put_kernels(),    pick_kernels(),
      argmax_kernels(),      nnet_kernels(),  nll_kernels(),   linalg_kernels(), random_kernels(),
  };
  return tables;
}

const KernelEntry* find_kernel(std::string_view name) {
  for (const std::span<const KernelEntry> table : kernel_tables()) {
    for (const KernelEntry& entry : table) {
      if (entry.name == name) return &entry;
    }
  }
  return nullptr;
}

}  // namespace arignote
