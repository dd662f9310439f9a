// The device on the host: blocks run one after the other, and so do the threads of a block; those
// of a kernel with barriers in turns, each until it waits for others. For tests; one kernel runs at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

// Libraries that tests compile while they run call it, too.
namespace arignote::device {
namespace [[gnu::visibility("default")]] emulation {

// In what order blocks, and the threads of a block, come to run: results must not depend on it.
enum class Order { kForward, kBackward, kShuffled };
void set_order(Order order);
// How many blocks at each end of a launch run, all of them if it is 0: with a few, tests can launch
// more threads than they have time for.
void set_ends(std::int64_t blocks);
std::int64_t get_ends();

struct Shape {
  std::int64_t blocks;
  int threads;
  bool has_barriers;
  std::size_t shared_bytes;
};

// What a block may have of shared memory: of any device that is made so far, most.
inline constexpr std::size_t kMostSharedBytes = 227 << 10;

// Who asks: the thread at work.
struct Place {
  int thread = 0;
  int threads = 0;
  std::int64_t block = 0;
  std::int64_t blocks = 0;
};
const Place& now();

enum class Barrier { kNone, kWarp, kBlock };

// Until all threads of the block, or of the warp, wait.
void wait(Barrier barrier);
// All threads of the block hand in a condition, and each learns whether any of them holds.
bool any_of_block(bool condition);
// All threads of the warp hand in a value, and each gets that of the thread `by` places further,
// its own if there is none.
void shuffle(const void* value, void* result, std::size_t bytes, int by);

// Copies of the thread's, which come to pass when it waits for them, and not before; a copy whose
// places are not at multiples of its bytes ends the process, with a message.
void begin_copy(std::byte* to, const std::byte* from, std::size_t bytes);
void end_copies();
void wait_for_copies(int left);
// Reads a byte, for who watches over memory.
void read_ahead(const std::byte* from);

// Memory of the block at work: by the place in the source that declares it, or as much as the
// launch asked for. Not initialised.
void* shared_array(const void* place, std::size_t bytes);
std::byte* dynamic_memory();

// Returns 0, or the number of CUDA's error for a shape that no device takes. A kernel whose threads
// do not meet at one barrier ends the process, with a message: a device would hang. If work of the
// stream is kept, the kernel does not run now; then it is an error if `name`, where it has one, has
// not been loaded before, as a launch does that runs the kernel.
int run(const Shape& shape, const std::function<void()>& kernel, const void* stream,
        const void* name = nullptr);
void load(const void* name);
// As if none had been loaded.
void unload();
// How many kernels have been asked for.
std::int64_t launches();

// Work that is kept in place of being run, in order; each part returns an error or 0.
using Work = std::vector<std::function<int()>>;
void keep(const void* stream);
bool keeps(const void* stream);
void append(const void* stream, std::function<int()> part);
Work stop_keeping(const void* stream);

}  // namespace emulation
}  // namespace arignote::device
