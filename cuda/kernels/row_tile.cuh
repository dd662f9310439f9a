// The rows at work, in a block's shared memory.
#pragma once

#include "kernels/row_block.hpp"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {

ARN_DEVICE bool is_before(const RowFault& a, const RowFault& b) {
  return a.part != b.part ? a.part < b.part : a.row < b.row;
}

ARN_DEVICE RowFault no_fault() { return {0x7fffffff, true, kNowhere, 0, 0}; }

class RowTile {
 public:
  ARN_DEVICE explicit RowTile(const RowBlockArgs& args)
      : args_(args),
        shared_(shared_memory()),
        chunk_(block_index() * args.chunk),
        turn_(args.turn == nullptr ? 0 : *args.turn) {}

  ARN_DEVICE const RowBlockArgs& args() const { return args_; }
  ARN_DEVICE std::int64_t first() const { return first_; }
  ARN_DEVICE int rows() const { return rows_; }
  // Of the chunk.
  ARN_DEVICE std::int64_t begin() const { return chunk_; }
  ARN_DEVICE std::int64_t end() const {
    return chunk_ + args_.chunk < args_.rows ? chunk_ + args_.chunk : args_.rows;
  }
  // How many rows there are from one on, in a tile that begins there.
  ARN_DEVICE int rows_at(std::int64_t row) const {
    const std::int64_t left = end() - row;
    return left < args_.tile ? static_cast<int>(left) : args_.tile;
  }
  ARN_DEVICE int stage_of(std::int64_t row) const {
    return static_cast<int>((row - chunk_) / args_.tile % 2);
  }
  ARN_DEVICE void move_to(std::int64_t row) {
    first_ = row;
    stage_ = stage(stage_of(row));
    rows_ = rows_at(row);
  }

  ARN_DEVICE const RowOperand& operand(const RowStep& step, int number) const {
    return args_.operands[step.first_operand + number];
  }
  // Bytes from a pointer to where it leads in this turn.
  ARN_DEVICE std::int64_t shift(int pointer) const {
    const std::int64_t* const offsets = args_.offsets[pointer];
    return offsets == nullptr ? 0 : offsets[turn_];
  }
  ARN_DEVICE std::byte* memory(int pointer) const {
    return args_.pointers[pointer] + shift(pointer);
  }
  // Of the first of the rows at work.
  ARN_DEVICE std::byte* at(const RowOperand& o) const {
    switch (o.place) {
      case RowOperand::Place::kMemory: return memory(o.pointer) + o.offset + first_ * o.row_step;
      case RowOperand::Place::kTile: return shared_ + o.offset;
      default: return stage_ + o.offset;
    }
  }
  ARN_DEVICE std::byte* at(const RowOperand& o, int row, int column = 0) const {
    return at(o) + row * o.row_step + column * o.column_step;
  }
  ARN_DEVICE std::byte* stage(int number) const {
    return shared_ + args_.stages + number * args_.stage_bytes;
  }
  template <class T>
  ARN_DEVICE T* held(std::int32_t place) const {
    return reinterpret_cast<T*>(shared_ + place);
  }
  // The first row that one of several lanes takes of those at work; the next ones follow `lanes`
  // rows later. It hangs on the row's number in the chunk alone.
  ARN_DEVICE int first_of_lane(int lane, int lanes) const {
    return (lane - static_cast<int>(first_ - chunk_)) & (lanes - 1);
  }

  // The place of the label, -1 if there is none as it is out of range, which is kept in mind.
  ARN_DEVICE std::int64_t place_of(DType dtype, const std::byte* label, std::int64_t length,
                                   std::int32_t part, std::int64_t row) {
    const Bits bits = load_bits(dtype, label);
    const bool has_sign = is_signed(dtype);
    const bool is_negative = has_sign && value_of<std::int64_t>(bits) < 0;
    const Bits place = is_negative ? bits + static_cast<Bits>(length) : bits;
    if (place < static_cast<Bits>(length)) return static_cast<std::int64_t>(place);
    const RowFault found{part, has_sign, row, value_of<std::int64_t>(bits), length};
    if (is_before(found, fault_)) fault_ = found;
    return -1;
  }
  ARN_DEVICE const RowFault& fault() const { return fault_; }

 private:
  const RowBlockArgs& args_;
  std::byte* shared_;
  std::byte* stage_ = nullptr;  // of the rows at work
  std::int64_t chunk_;
  std::int64_t turn_;
  std::int64_t first_ = 0;
  int rows_ = 0;
  RowFault fault_ = no_fault();  // of what this thread has seen
};

// --- bringing rows to their stage

template <int kBytes>
ARN_DEVICE void copy_row(std::byte* to, const std::byte* from, int bytes, int lane, int lanes) {
  for (int at = lane * kBytes; at < bytes; at += lanes * kBytes) {
    begin_copy<kBytes>(to + at, from + at);
  }
}

// Where a row of a stream lies in memory, null if it is chosen by an index that is out of range:
// what is made of it counts for nothing.
ARN_DEVICE const std::byte* row_of(RowTile& tile, const RowStream& s, std::int64_t row) {
  const RowBlockArgs& a = tile.args();
  std::int64_t place = row;
  if (s.is_chosen) {
    const std::byte* const index =
        a.pointers[s.index_pointer] + s.index_offset + row * s.index_step;
    place = tile.place_of(s.index_dtype, index, s.length, s.part, row);
    if (place < 0) return nullptr;
  }
  return a.pointers[s.pointer] + s.offset + place * s.row_step;
}

// A warp for each row.
template <int kBytes>
ARN_DEVICE void copy_rows(RowTile& tile, const RowStream& s, std::byte* stage, std::int64_t first) {
  const int warps = block_threads() / kWarpThreads;
  for (int row = thread_index() / kWarpThreads; row < tile.rows_at(first); row += warps) {
    const std::byte* const from = row_of(tile, s, first + row);
    if (from == nullptr) continue;
    const int lane = thread_index() % kWarpThreads;
    copy_row<kBytes>(stage + row * s.pitch, from, s.columns * s.item, lane, kWarpThreads);
  }
}

// Neighbouring threads read neighbours in memory.
template <class Item>
ARN_DEVICE void gather_elements(RowTile& tile, const RowStream& s, std::byte* stage,
                                std::int64_t first) {
  constexpr int kItem = sizeof(Item);
  const int rows = tile.rows_at(first);
  const bool along_rows = !s.is_chosen && s.row_step < s.column_step;
  for (int i = thread_index(); i < rows * s.columns; i += block_threads()) {
    const int row = along_rows ? i % rows : i / s.columns;
    const int column = along_rows ? i / rows : i % s.columns;
    const std::byte* const from = row_of(tile, s, first + row);
    if (from == nullptr) continue;
    std::byte* const to = stage + row * s.pitch + column * kItem;
    if constexpr (kItem >= 4) {
      begin_copy<kItem>(to, from + column * s.column_step);
    } else {
      *reinterpret_cast<Item*>(to) = *reinterpret_cast<const Item*>(from + column * s.column_step);
    }
  }
}

// Begins to.
ARN_DEVICE void bring_rows(RowTile& tile, std::int64_t first) {
  for (int number = 0; number < tile.args().n_streams; ++number) {
    RowStream s = tile.args().streams[number];
    s.offset += tile.shift(s.pointer);
    if (s.is_chosen) s.index_offset += tile.shift(s.index_pointer);
    std::byte* const stage = tile.stage(tile.stage_of(first)) + s.place;
    switch (tile.args().pieces[number]) {
      case 16: copy_rows<16>(tile, s, stage, first); continue;
      case 8: copy_rows<8>(tile, s, stage, first); continue;
      case 4: copy_rows<4>(tile, s, stage, first); continue;
      default: break;
    }
    switch (s.item) {
      case 1: gather_elements<std::uint8_t>(tile, s, stage, first); break;
      case 2: gather_elements<std::uint16_t>(tile, s, stage, first); break;
      case 4: gather_elements<std::uint32_t>(tile, s, stage, first); break;
      default: gather_elements<std::uint64_t>(tile, s, stage, first); break;
    }
  }
}

}  // namespace arignote::device
