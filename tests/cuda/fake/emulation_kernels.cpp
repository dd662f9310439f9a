// Kernels that show whether the emulation does what a device does. Each writes 64-bit numbers.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "device/language.cuh"

namespace py = pybind11;

namespace arignote::device {
namespace {

using Numbers = std::int64_t*;

ARN_DEVICE std::int64_t place() { return block_index() * block_threads() + thread_index(); }

// What the thread at the other end of the block has brought along.
ARN_KERNEL exchange(Numbers out) {
  ARN_SHARED(std::int64_t, shared, kBlockThreads);
  shared[thread_index()] = place();
  sync_threads();
  out[place()] = shared[block_threads() - 1 - thread_index()];
}

ARN_KERNEL exchange_dynamic(Numbers out) {
  auto* const shared = reinterpret_cast<std::int64_t*>(shared_memory());
  shared[thread_index()] = place();
  sync_threads();
  out[place()] = shared[block_threads() - 1 - thread_index()];
}

// Doubles a number over and over, each thread from its neighbour's: every barrier counts.
ARN_KERNEL double_in_turns(Numbers out) {
  ARN_SHARED(std::int64_t, shared, kBlockThreads);
  shared[thread_index()] = thread_index();
  for (int turn = 0; turn < 20; ++turn) {
    sync_threads();
    const std::int64_t next = shared[(thread_index() + 1) % block_threads()];
    sync_threads();
    shared[thread_index()] = 2 * next;
  }
  out[place()] = shared[thread_index()];
}

ARN_KERNEL shuffle(Numbers out) {
  std::int64_t sum = place();
  for (int by = kWarpThreads / 2; by > 0; by /= 2) sum += shuffle_down(sum, by);
  out[place()] = sum;
}

// Of each size that a value may have.
ARN_KERNEL shuffle_sizes(Numbers out) {
  const auto byte = shuffle_down(static_cast<std::int8_t>(thread_index()), 1);
  const auto number = shuffle_down(static_cast<float>(thread_index()), 2);
  out[place()] = byte + 100 * static_cast<std::int64_t>(shuffle_down(double{number}, 3));
}

// Warps shuffle as often as they like between two barriers.
ARN_KERNEL shuffle_unevenly(Numbers out) {
  ARN_SHARED(std::int64_t, shared, kBlockThreads);
  std::int64_t value = thread_index();
  const int warp = thread_index() / kWarpThreads;
  for (int turn = 0; turn < warp; ++turn) value = shuffle_down(value, 1);
  shared[thread_index()] = value;
  sync_threads();
  out[place()] = shared[warp * kWarpThreads];
}

// What the thread at the other end of the warp has brought along.
ARN_KERNEL shuffle_back(Numbers out) {
  out[place()] = shuffle_from(place(), kWarpThreads - 1 - thread_index() % kWarpThreads);
}

// Whether the number of any thread of the block is a multiple of 100, and of the one behind it.
ARN_KERNEL look_for_hundreds(Numbers out) {
  const bool has_hundred = any_of_block(place() % 100 == 0);
  out[place()] = 10 * (has_hundred ? 1 : 0) + (any_of_block(place() % 100 == 1) ? 1 : 0);
}

// Of two copies that follow each other the second is still on its way, and then is there.
ARN_KERNEL copy_in_groups(Numbers out) {
  auto* const shared = reinterpret_cast<std::int64_t*>(shared_memory()) + 2 * thread_index();
  shared[0] = shared[1] = -1;
  for (int i = 0; i < 2; ++i) {
    begin_copy<8>(reinterpret_cast<std::byte*>(shared + i),
                  reinterpret_cast<const std::byte*>(out + 2 * place() + i));
    end_copies();
  }
  wait_for_copies<1>();
  const std::int64_t first = 100 * shared[0] + shared[1];
  wait_for_copies<0>();
  out[2 * place()] = first;
  out[2 * place() + 1] = 100 * shared[0] + shared[1];
}

ARN_KERNEL copy_astride(Numbers out) {
  begin_copy<8>(shared_memory() + 4, reinterpret_cast<const std::byte*>(out));
}

// Behind the number of threads that have come, which each of them is.
ARN_KERNEL note_order(Numbers out) { out[++out[0]] = place(); }

ARN_KERNEL find_extremes(Numbers out) {
  atomic_min(&out[0], place() - 100);
  atomic_max(&out[1], place() + 100);
}

ARN_KERNEL miss_barrier(Numbers) {
  if (thread_index() != 3) sync_threads();
}

ARN_KERNEL miss_shuffle(Numbers out) {
  if (thread_index() != 3) out[0] = shuffle_down(std::int64_t{1}, 1);
}

ARN_KERNEL mix_barriers(Numbers out) {
  if (thread_index() == 3) return sync_threads();
  out[0] = shuffle_down(std::int64_t{1}, 1);
}

ARN_KERNEL overrun_array(Numbers out) {
  ARN_SHARED(std::int64_t, shared, 8);
  shared[thread_index()] = 1;
  out[0] = shared[0];
}

ARN_KERNEL overrun_dynamic(Numbers out) {
  auto* const shared = reinterpret_cast<std::int64_t*>(shared_memory());
  shared[thread_index()] = 1;
  out[0] = shared[0];
}

const std::map<std::string, void (*)(Numbers)>& kernels() {
  static const std::map<std::string, void (*)(Numbers)> all = {
      {"exchange", exchange},
      {"exchange_dynamic", exchange_dynamic},
      {"double_in_turns", double_in_turns},
      {"shuffle", shuffle},
      {"shuffle_back", shuffle_back},
      {"look_for_hundreds", look_for_hundreds},
      {"copy_in_groups", copy_in_groups},
      {"copy_astride", copy_astride},
      {"shuffle_sizes", shuffle_sizes},
      {"shuffle_unevenly", shuffle_unevenly},
      {"note_order", note_order},
      {"find_extremes", find_extremes},
      {"miss_barrier", miss_barrier},
      {"miss_shuffle", miss_shuffle},
      {"mix_barriers", mix_barriers},
      {"overrun_array", overrun_array},
      {"overrun_dynamic", overrun_dynamic},
  };
  return all;
}

}  // namespace

void add_emulation_kernels(py::module_& module);
void add_emulation_kernels(py::module_& module) {
  module.def(
      "launch",
      [](const std::string& kernel, std::vector<std::int64_t> numbers, std::int64_t blocks,
         int threads, bool has_barriers, std::size_t shared_bytes) {
        const int error = launch(kernels().at(kernel),
                                 {.blocks = blocks,
                                  .threads = threads,
                                  .has_barriers = has_barriers,
                                  .shared_bytes = shared_bytes},
                                 nullptr, numbers.data());
        return std::pair(error, std::move(numbers));
      },
      py::arg("kernel"), py::arg("numbers"), py::kw_only(), py::arg("blocks") = 1,
      py::arg("threads") = 1, py::arg("has_barriers") = false, py::arg("shared_bytes") = 0);
}

}  // namespace arignote::device
