// Which rows a thread reads after those of a block. Its kernels may fetch them meanwhile; nothing
// depends on that but time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "core/parallel.hpp"
#include "core/view.hpp"
#include "runtime/context.hpp"

namespace arignote {

// Blocks of so many rows, of which each lane runs some that follow one another.
struct BlocksOfRows {
  std::int64_t blocks;
  std::int64_t rows;
  std::int64_t lanes;
};

// The input that is cut, along the axes in `cut`, whose memory a step reads as its first operand;
// -1 if there is none.
inline int rows_read_by(const Program& body, const Step& step, std::span<const std::int64_t> cut) {
  if (step.inputs.empty()) return -1;
  const BufferSpec& source = body.plan.buffer(body.plan.viewed(step.inputs[0]));
  return source.kind == BufferKind::kInput && cut[source.number] >= 0 ? source.number : -1;
}

// Of a core, or what most have if the system does not tell.
inline std::int64_t second_cache_bytes() {
#ifdef _SC_LEVEL2_CACHE_SIZE
  static const std::int64_t found = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (found > 0) return found;
#endif
  return 512 << 10;
}

class RowsAhead {
 public:
  // Finds the steps that read the rows of an input as they lie in memory. Inputs are cut along the
  // axes in `cut`, or not if that is negative.
  void plan(const Program& body, std::span<const Layout> inputs, std::span<const std::int64_t> cut,
            const BlocksOfRows& shape) {
    shape_ = shape;
    readers_.clear();
    for (int id = 0; id < body.plan.n_steps(); ++id) {
      const int number = rows_read_by(body, body.plan.step(id), cut);
      if (number < 0) continue;
      const auto input = static_cast<std::size_t>(number);
      readers_.push_back({.step = id,
                          .input = input,
                          .bytes = static_cast<std::int64_t>(bytes_of(inputs[input])),
                          .block_bytes = shape.rows * inputs[input].strides[cut[input]]});
    }
  }

  // Training goes through data in even steps, or over the same again and again: the next call's
  // rows may lie as far from these as these do from the last call's. If they are the same, and few,
  // each core has its part of them since the last call: to ask for them takes time, too.
  void start(std::span<std::byte* const> inputs) {
    threads_ = std::min<std::int64_t>(num_threads(), shape_.lanes);
    for (Reader& reader : readers_) {
      const auto data = reinterpret_cast<std::uintptr_t>(inputs[reader.input]);
      reader.is_near =
          data == reader.data && reader.bytes / threads_ <= second_cache_bytes() / 4 * 3;
      reader.shift = reader.data == 0 ? 0 : data - reader.data;
      reader.data = data;
    }
  }

  // After this block its thread runs the next one, or in the next call its first one.
  void let_fetch(Context& context, std::int64_t lane, std::int64_t block) const {
    const std::int64_t thread = ((lane + 1) * threads_ - 1) / shape_.lanes;
    const bool is_last = block + 1 == first_block(thread + 1);
    const std::int64_t next = is_last ? first_block(thread) : block + 1;
    for (const Reader& reader : readers_) {
      const std::int64_t wanted = reader.is_near ? block : next;
      const auto distance = static_cast<std::uintptr_t>(wanted * reader.block_bytes);
      const std::uintptr_t data = reader.data + distance + (is_last ? reader.shift : 0);
      context.let_fetch(reader.step, reinterpret_cast<const std::byte*>(data));
    }
  }

 private:
  struct Reader {
    int step;
    std::size_t input;
    std::int64_t bytes;  // of all rows
    std::int64_t block_bytes;
    bool is_near = false;
    std::uintptr_t data = 0;   // in this call
    std::uintptr_t shift = 0;  // from the last call's
  };

  // Lanes are shared out as parallel_for() does it.
  std::int64_t first_block(std::int64_t thread) const {
    return shape_.blocks * (shape_.lanes * thread / threads_) / shape_.lanes;
  }

  BlocksOfRows shape_{};
  std::vector<Reader> readers_;
  std::int64_t threads_ = 1;
};

}  // namespace arignote
