// Which rows a thread reads after those of a block. Its kernels may fetch them meanwhile; nothing
// depends on that but time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

class RowsAhead {
 public:
  // Finds the steps that read the rows of an input as they lie in memory. Inputs are cut along the
  // axes in `cut`, or not if that is negative.
  void plan(const Program& body, std::span<const Layout> inputs, std::span<const std::int64_t> cut,
            const BlocksOfRows& shape) {
    shape_ = shape;
    readers_.clear();
    for (int id = 0; id < body.plan.n_steps(); ++id) {
      const Step& step = body.plan.step(id);
      if (step.inputs.empty()) continue;
      const BufferSpec* source = &body.plan.buffer(step.inputs[0]);
      while (source->kind == BufferKind::kView) source = &body.plan.buffer(source->base);
      if (source->kind != BufferKind::kInput || cut[source->number] < 0) continue;
      const auto input = static_cast<std::size_t>(source->number);
      readers_.push_back({.step = id,
                          .input = input,
                          .block_bytes = shape.rows * inputs[input].strides[cut[input]]});
    }
  }

  // Training goes through data in even steps, or over the same again and again: the next call's
  // rows may lie as far from these as these do from the last call's.
  void start(std::span<std::byte* const> inputs) {
    for (Reader& reader : readers_) {
      const auto data = reinterpret_cast<std::uintptr_t>(inputs[reader.input]);
      reader.shift = reader.data == 0 ? 0 : data - reader.data;
      reader.data = data;
    }
    threads_ = std::min<std::int64_t>(num_threads(), shape_.lanes);
  }

  // After this block its thread runs the next one, or in the next call its first one.
  void let_fetch(Context& context, std::int64_t lane, std::int64_t block) const {
    const std::int64_t thread = ((lane + 1) * threads_ - 1) / shape_.lanes;
    const bool is_last = block + 1 == first_block(thread + 1);
    const std::int64_t next = is_last ? first_block(thread) : block + 1;
    for (const Reader& reader : readers_) {
      const auto distance = static_cast<std::uintptr_t>(next * reader.block_bytes);
      const std::uintptr_t data = reader.data + distance + (is_last ? reader.shift : 0);
      context.let_fetch(reader.step, reinterpret_cast<const std::byte*>(data));
    }
  }

 private:
  struct Reader {
    int step;
    std::size_t input;
    std::int64_t block_bytes;
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
