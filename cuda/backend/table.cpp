#include "backend/table.hpp"

#include <array>

namespace arignote::device {

std::span<const std::span<const KernelEntry>> kernel_tables() {
  static const std::array tables{elementwise_kernels(), dot_kernels(),   row_kernels(),
                                 argmax_kernels(),      index_kernels(), put_kernels(),
                                 nonzero_kernels(),     move_kernels(),  transfer_kernels(),
                                 random_kernels()};
  return tables;
}

const KernelEntry* find_kernel(std::string_view name) {
  for (const auto table : kernel_tables()) {
    for (const KernelEntry& entry : table) {
      if (entry.name == name) return &entry;
    }
  }
  return nullptr;
}

}  // namespace arignote::device
