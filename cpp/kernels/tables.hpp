// The kernels of each file; table.cpp lists these by hand, since a linker may drop static
// initialisers.
#pragma once

#include <span>

#include "kernels/kernel.hpp"

namespace arignote {

std::span<const KernelEntry> elementwise_kernels();
std::span<const KernelEntry> shape_kernels();
std::span<const KernelEntry> index_kernels();
std::span<const KernelEntry> put_kernels();
std::span<const KernelEntry> pick_kernels();
std::span<const KernelEntry> argmax_kernels();
std::span<const KernelEntry> nnet_kernels();
std::span<const KernelEntry> nll_kernels();
std::span<const KernelEntry> linalg_kernels();
std::span<const KernelEntry> random_kernels();

}  // namespace arignote
