#include "bindings/output_memory.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>

namespace arignote {
namespace {

constexpr std::size_t kMostKept = std::size_t{256} << 20;
constexpr std::size_t kGranule = std::size_t{64} << 10;
// Where huge pages begin to pay; NumPy, too, asks for them from here on.
constexpr std::size_t kHuge = std::size_t{4} << 20;

// A load waits for an earlier store to an address with the same last twelve bits. NumPy's large
// arrays begin a little beyond the start of a page: an output that begins at one stays behind them.
constexpr std::size_t kPage = 4096;

// The head of a block of memory; the array's data follow it.
struct alignas(kPage) Block {
  std::size_t bytes;  // all of them

  void* data() { return this + 1; }
  static Block* of(void* data) { return static_cast<Block*>(data) - 1; }

  // Holds an array of that many bytes without wasting much.
  bool suits(std::size_t size) const {
    const std::size_t room = bytes - sizeof(Block);
    return size <= room && room - size <= std::max(kGranule, size / 8);
  }

  static Block* map(std::size_t size) {
    const std::size_t rounded = (size + sizeof(Block) + kGranule - 1) / kGranule * kGranule;
    if (rounded < size) return nullptr;
    void* const memory =
        mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
    if (rounded >= kHuge) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return new (memory) Block{rounded};
  }

  void unmap() { munmap(this, bytes); }
};

// Blocks that no array uses, oldest first.
class KeptBlocks {
 public:
  std::mutex& mutex() { return mutex_; }

  // The one left last of those that suit, which caches know best; null if there is none.
  Block* take(std::size_t size) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = count_; i-- > 0;) {
      if (!blocks_[i]->suits(size)) continue;
      Block* const block = blocks_[i];
      bytes_ -= block->bytes;
      std::copy(&blocks_[i + 1], &blocks_[count_], &blocks_[i]);
      --count_;
      return block;
    }
    return nullptr;
  }

  void keep(Block* block) {
    if (block->bytes < kLargeArray || block->bytes > kMostKept) return block->unmap();
    const std::scoped_lock lock(mutex_);
    drop_to(kMostKept - block->bytes);
    blocks_[count_++] = block;
    bytes_ += block->bytes;
  }

  std::size_t release() {
    const std::scoped_lock lock(mutex_);
    const std::size_t before = bytes_;
    drop_to(0);
    return before;
  }

 private:
  void drop_to(std::size_t bytes) {
    std::size_t dropped = 0;
    for (; bytes_ > bytes; ++dropped) {
      bytes_ -= blocks_[dropped]->bytes;
      blocks_[dropped]->unmap();
    }
    std::copy(&blocks_[dropped], &blocks_[count_], blocks_.data());
    count_ -= dropped;
  }

  std::mutex mutex_;
  std::array<Block*, kMostKept / kLargeArray + 1> blocks_{};  // one more, so that ends can be named
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

// Made before all code and never destroyed: arrays may outlive everything else.
constinit KeptBlocks kept;

// A fork waits until no thread is at work here, so that the child finds everything in order.
[[maybe_unused]] const int watched = pthread_atfork(
    [] { kept.mutex().lock(); }, [] { kept.mutex().unlock(); }, [] { kept.mutex().unlock(); });

// --- what NumPy calls

void* allocate(void*, std::size_t size) {
  Block* block = kept.take(size);
  if (block == nullptr) block = Block::map(size);
  return block == nullptr ? nullptr : block->data();
}

void* allocate_zeros(void* context, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
  void* const data = allocate(context, bytes);
  return data == nullptr ? nullptr : std::memset(data, 0, bytes);
}

void release(void*, void* data, std::size_t) {
  if (data != nullptr) kept.keep(Block::of(data));
}

void* reallocate(void* context, void* old, std::size_t size) {
  if (old == nullptr) return allocate(context, size);
  Block* const block = Block::of(old);
  if (block->suits(size)) return old;
  void* const data = allocate(context, size);
  if (data == nullptr) return nullptr;
  std::memcpy(data, old, std::min(size, block->bytes - sizeof(Block)));
  release(context, old, 0);
  return data;
}

PyDataMem_Handler handler = {
    "arignote", 1, {nullptr, allocate, allocate_zeros, reallocate, release}};

PyObject* handler_capsule() {
  static PyObject* const capsule = PyCapsule_New(&handler, "mem_handler", nullptr);
  return capsule;
}

}  // namespace

KeepingMemory::KeepingMemory() {
  if (PyObject* const capsule = handler_capsule()) before_.reset(PyDataMem_SetHandler(capsule));
}

KeepingMemory::~KeepingMemory() {
  if (!before_) return;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const Ref ours(PyDataMem_SetHandler(before_.get()));
  PyErr_Restore(type, value, traceback);
}

std::size_t release_memory() { return kept.release(); }

}  // namespace arignote
