// Every kernel of the device.
#pragma once

#include <span>
#include <string_view>

#include "kernels/kernel.hpp"

namespace arignote::device {

const KernelEntry* find_kernel(std::string_view name);
std::span<const std::span<const KernelEntry>> kernel_tables();

// Of each file.
std::span<const KernelEntry> elementwise_kernels();
std::span<const KernelEntry> index_kernels();
std::span<const KernelEntry> put_kernels();
std::span<const KernelEntry> nonzero_kernels();
std::span<const KernelEntry> move_kernels();
std::span<const KernelEntry> transfer_kernels();
std::span<const KernelEntry> dot_kernels();
std::span<const KernelEntry> row_kernels();
std::span<const KernelEntry> argmax_kernels();
std::span<const KernelEntry> random_kernels();

}  // namespace arignote::device
