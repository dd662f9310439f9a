#include "device/emulation.hpp"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "device/language.cuh"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace arignote::device::emulation {
namespace {

constexpr std::size_t kStackBytes = 64 << 10;
constexpr int kInvalidConfiguration = 9;  // cudaErrorInvalidConfiguration
constexpr int kCaptureUnsupported = 900;  // cudaErrorStreamCaptureUnsupported

std::mutex one_kernel;
std::atomic<std::int64_t> launch_count{0};
Order order = Order::kForward;
std::int64_t ends = 0;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "[emulation] %s\n", what);
  std::abort();
}

// What the sanitizer must know of a switch from one stack to another.
void leave(void** fake_stack, const void* bottom, std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#else
  static_cast<void>(fake_stack), static_cast<void>(bottom), static_cast<void>(bytes);
#endif
}
void arrive(void* fake_stack, const void** bottom, std::size_t* bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
#else
  static_cast<void>(fake_stack), static_cast<void>(bottom), static_cast<void>(bytes);
#endif
}

// A thread of the block at work. It has a stack of its own, as it may stop in the middle.
struct Fiber {
  ucontext_t context;
  std::unique_ptr<std::byte[]> stack;
  void* fake_stack = nullptr;
  Barrier waits_at = Barrier::kNone;
  bool has_begun = false;
  bool is_done = false;
};

struct Copy {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes;
  int group;
};

// Those that a thread has begun and not yet waited for.
struct Copies {
  std::vector<Copy> begun;
  int groups = 0;  // that have ended
};

class Block {
 public:
  void run(const Shape& shape, std::int64_t block, const std::function<void()>& kernel) {
    kernel_ = &kernel;
    place_ = {.threads = shape.threads, .block = block, .blocks = shape.blocks};
    arrays_.clear();
    for (Copies& copies : copies_) copies = {};
    dynamic_ = std::make_unique_for_overwrite<std::byte[]>(shape.shared_bytes);
    has_barriers_ = shape.has_barriers;
    std::vector<int> turns(static_cast<std::size_t>(shape.threads));
    std::iota(turns.begin(), turns.end(), 0);
    if (order == Order::kBackward) std::ranges::reverse(turns);
    if (order == Order::kShuffled) std::ranges::shuffle(turns, std::mt19937(shape.threads));
    if (has_barriers_) {
      run_in_turns(turns);
    } else {
      for (const int thread : turns) {
        place_.thread = thread;
        kernel();
      }
    }
  }

  const Place& place() const { return place_; }

  void wait(Barrier barrier) {
    if (!has_barriers_) fail("a kernel whose threads wait must be launched as one with barriers");
    Fiber& fiber = fibers_[place_.thread];
    fiber.waits_at = barrier;
    suspend(fiber);
  }

  bool any_of_block(bool condition) {
    values_[place_.thread] = condition ? 1 : 0;
    wait(Barrier::kBlock);
    const auto end = values_.begin() + place_.threads;
    const bool holds = std::find(values_.begin(), end, std::uint64_t{1}) != end;
    wait(Barrier::kBlock);
    return holds;
  }

  void shuffle(const void* value, void* result, std::size_t bytes, int by) {
    const int lane = place_.thread % kWarpThreads;
    const int own = place_.thread;
    std::memcpy(&values_[own], value, bytes);
    wait(Barrier::kWarp);
    const bool is_there = lane + by >= 0 && lane + by < kWarpThreads && own + by < place_.threads;
    const int other = is_there ? own + by : own;
    std::memcpy(result, &values_[other], bytes);
    wait(Barrier::kWarp);
  }

  void begin_copy(std::byte* to, const std::byte* from, std::size_t bytes) {
    const auto is_aligned = [&](const std::byte* at) {
      return reinterpret_cast<std::uintptr_t>(at) % bytes == 0;
    };
    if (!is_aligned(from) || !is_aligned(to)) fail("a copy must begin at a multiple of its bytes");
    Copies& copies = copies_[place_.thread];
    copies.begun.push_back({to, from, bytes, copies.groups});
  }
  void end_copies() { ++copies_[place_.thread].groups; }
  void wait_for_copies(int left) {
    Copies& copies = copies_[place_.thread];
    std::erase_if(copies.begun, [&](const Copy& copy) {
      const bool is_due = copy.group < copies.groups - left;
      if (is_due) std::memcpy(copy.to, copy.from, copy.bytes);
      return is_due;
    });
  }

  void* shared_array(const void* where, std::size_t bytes) {
    auto& array = arrays_[where];
    if (!array) array = std::make_unique_for_overwrite<std::byte[]>(bytes);
    return array.get();
  }
  std::byte* dynamic_memory() { return dynamic_.get(); }

 private:
  static Block& at_work();
  static void enter() {
    Block& block = at_work();
    arrive(nullptr, &block.main_bottom_, &block.main_bytes_);
    (*block.kernel_)();
    Fiber& fiber = block.fibers_[block.place_.thread];
    fiber.is_done = true;
    --block.left_;
    leave(nullptr, block.main_bottom_, block.main_bytes_);
    setcontext(&block.main_);
  }

  void run_in_turns(const std::vector<int>& turns) {
    left_ = place_.threads;
    fibers_.resize(std::max(fibers_.size(), turns.size()));
    for (Fiber& fiber : fibers_) {
      fiber.waits_at = Barrier::kNone;
      fiber.has_begun = fiber.is_done = false;
    }
    while (left_ > 0) {
      for (const int thread : turns) {
        Fiber& fiber = fibers_[thread];
        if (!fiber.is_done && fiber.waits_at == Barrier::kNone) resume(thread);
      }
      release();
    }
  }

  void resume(int thread) {
    Fiber& fiber = fibers_[thread];
    place_.thread = thread;
    if (!fiber.has_begun) {
      fiber.has_begun = true;
      if (!fiber.stack) fiber.stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = kStackBytes;
      fiber.context.uc_link = nullptr;
      makecontext(&fiber.context, &Block::enter, 0);
    }
    void* fake_stack = nullptr;
    leave(&fake_stack, fiber.stack.get(), kStackBytes);
    swapcontext(&main_, &fiber.context);
    arrive(fake_stack, nullptr, nullptr);
  }

  void suspend(Fiber& fiber) {
    leave(&fiber.fake_stack, main_bottom_, main_bytes_);
    swapcontext(&fiber.context, &main_);
    arrive(fiber.fake_stack, &main_bottom_, &main_bytes_);
  }

  // Lets those go on that wait for nobody any more, when no thread can go on by itself.
  void release() {
    if (left_ == 0) return;
    bool has_released = false;
    for (int first = 0; first < place_.threads; first += kWarpThreads) {
      const int end = std::min(first + kWarpThreads, place_.threads);
      has_released |= release(first, end, Barrier::kWarp);
    }
    if (!has_released && !release(0, place_.threads, Barrier::kBlock)) {
      fail("the threads of a block must meet at one barrier");
    }
  }

  bool release(int first, int end, Barrier barrier) {
    for (int i = first; i < end; ++i) {
      if (fibers_[i].is_done || fibers_[i].waits_at != barrier) return false;
    }
    for (int i = first; i < end; ++i) fibers_[i].waits_at = Barrier::kNone;
    return true;
  }

  const std::function<void()>* kernel_ = nullptr;
  Place place_;
  bool has_barriers_ = false;
  ucontext_t main_;
  const void* main_bottom_ = nullptr;
  std::size_t main_bytes_ = 0;
  std::vector<Fiber> fibers_;
  std::array<std::uint64_t, kBlockThreads> values_{};  // that are handed in
  std::array<Copies, kBlockThreads> copies_;
  std::map<const void*, std::unique_ptr<std::byte[]>> arrays_;
  std::unique_ptr<std::byte[]> dynamic_;
  int left_ = 0;  // threads that are not done
};

Block& block_at_work() {
  static Block block;
  return block;
}

Block& Block::at_work() { return block_at_work(); }

std::mutex kept_mutex;
std::map<const void*, Work> kept;  // by stream
std::mutex loaded_mutex;
std::set<const void*> loaded;

bool is_loaded(const void* name) {
  const std::scoped_lock lock(loaded_mutex);
  return loaded.contains(name);
}

void run_blocks(const Shape& shape, const std::function<void()>& kernel) {
  const std::scoped_lock lock(one_kernel);
  const bool all_run = ends == 0 || shape.blocks <= 2 * ends;
  const std::int64_t left_out = all_run ? 0 : shape.blocks - 2 * ends;
  std::vector<std::int64_t> blocks(static_cast<std::size_t>(shape.blocks - left_out));
  std::iota(blocks.begin(), blocks.end(), std::int64_t{0});
  if (!all_run) std::for_each(blocks.begin() + ends, blocks.end(), [&](auto& b) { b += left_out; });
  if (order == Order::kBackward) std::ranges::reverse(blocks);
  if (order == Order::kShuffled) std::ranges::shuffle(blocks, std::mt19937_64(shape.blocks));
  for (const std::int64_t block : blocks) block_at_work().run(shape, block, kernel);
}

}  // namespace

void set_order(Order next) {
  const std::scoped_lock lock(one_kernel);
  order = next;
}

void set_ends(std::int64_t blocks) {
  const std::scoped_lock lock(one_kernel);
  ends = blocks;
}

std::int64_t get_ends() {
  const std::scoped_lock lock(one_kernel);
  return ends;
}

const Place& now() { return block_at_work().place(); }

void wait(Barrier barrier) { block_at_work().wait(barrier); }
bool any_of_block(bool condition) { return block_at_work().any_of_block(condition); }

void shuffle(const void* value, void* result, std::size_t bytes, int by) {
  block_at_work().shuffle(value, result, bytes, by);
}

void begin_copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  block_at_work().begin_copy(to, from, bytes);
}
void end_copies() { block_at_work().end_copies(); }
void wait_for_copies(int left) { block_at_work().wait_for_copies(left); }
void read_ahead(const std::byte* from) {
  static_cast<void>(*static_cast<const volatile std::byte*>(from));
}

void* shared_array(const void* place, std::size_t bytes) {
  return block_at_work().shared_array(place, bytes);
}

std::byte* dynamic_memory() { return block_at_work().dynamic_memory(); }

std::int64_t launches() { return launch_count; }

void load(const void* name) {
  const std::scoped_lock lock(loaded_mutex);
  loaded.insert(name);
}
void unload() {
  const std::scoped_lock lock(loaded_mutex);
  loaded.clear();
}

int run(const Shape& shape, const std::function<void()>& kernel, const void* stream,
        const void* name) {
  if (shape.blocks < 1 || shape.blocks > kMostBlocks || shape.threads < 1 ||
      shape.threads > kBlockThreads || shape.shared_bytes > kMostSharedBytes) {
    return kInvalidConfiguration;
  }
  const bool is_kept = keeps(stream);
  if (is_kept && name != nullptr && !is_loaded(name)) return kCaptureUnsupported;
  ++launch_count;
  load(name);
  if (is_kept) {
    append(stream, [=] {
      run_blocks(shape, kernel);
      return 0;
    });
  } else {
    run_blocks(shape, kernel);
  }
  return 0;
}

void keep(const void* stream) {
  const std::scoped_lock lock(kept_mutex);
  kept[stream] = {};
}

bool keeps(const void* stream) {
  const std::scoped_lock lock(kept_mutex);
  return kept.contains(stream);
}

void append(const void* stream, std::function<int()> part) {
  const std::scoped_lock lock(kept_mutex);
  kept.at(stream).push_back(std::move(part));
}

Work stop_keeping(const void* stream) {
  const std::scoped_lock lock(kept_mutex);
  return std::move(kept.extract(stream).mapped());
}

}  // namespace arignote::device::emulation
