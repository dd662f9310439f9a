// Where the operands of a body's steps lie while one kernel works on a tile of rows after another:
// in memory, in a tile, or in a stage that rows are brought to beforehand.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "backend/row_values.hpp"
#include "kernels/row_block.hpp"

namespace arignote::device {

// More than any device has of shared memory: below it, numbers of bytes have 32 bits.
inline constexpr std::int64_t kMostRowBytes = 1 << 20;

// Where everything in shared memory begins.
constexpr std::int64_t aligned(std::int64_t bytes) { return (bytes + 15) / 16 * 16; }

inline std::int64_t item_of(const Layout& layout) {
  return static_cast<std::int64_t>(size_of(layout.dtype));
}

// It is not known yet where it lies in shared memory: `before` bytes of each row of a tile, or of a
// stage, lie in front of it.
struct DraftOperand {
  RowOperand operand;
  std::int64_t before = 0;
  std::int64_t columns = 1;
};

class RowOperands {
 public:
  explicit RowOperands(const Program& body)
      : program_(body),
        body_(body.plan),
        inputs_(static_cast<int>(body.plan.input_buffers.size())) {}

  // As RowValues::find. False also where a row that is to be brought beforehand is none.
  bool find(std::span<const Layout> inputs, std::span<const std::int64_t> cut);

  std::int64_t rows() const { return values_.rows(); }
  const RowValue& value(int id) const { return values_[id]; }
  const Layout& layout(int id) const { return values_.layout(id); }

  // Pointers are those of the body's inputs, outputs and constants, in this order.
  int n_pointers() const {
    return inputs_ + static_cast<int>(body_.outputs.size() + body_.constants.size());
  }
  int output_of(int id) const { return program_.schedule.output_number[id]; }
  int output_pointer(int id) const { return inputs_ + output_of(id); }
  // Of what is in memory for all rows, or without any.
  std::optional<int> pointer_of(int root) const;

  // Adds one of a step whose elements have these axes; kNone for columns that it has not.
  bool add(int id, int row_axis, int column_axis);
  std::vector<DraftOperand>& drafts() { return drafts_; }

  std::vector<RowStream>& streams() { return streams_; }
  bool has_indices() const { return has_indices_; }  // which choose rows of a stream
  // Bytes of each row of a tile, and of a stage.
  std::int64_t tile_row() const { return tile_row_; }
  std::int64_t stage_row() const { return stage_row_; }

 private:
  struct Slot {
    std::int64_t before = 0;
    std::int64_t pitch = 0;
  };

  bool find_streams(int step);
  bool add_stream(int root, const Layout& from, const RowValue& rows, RowStream stream);
  bool stream_of_take(int step);
  bool place(int id, DraftOperand& draft);
  bool narrow(int root, std::int64_t pitch, DraftOperand& draft) const;
  Slot slot_of(int root);

  const Program& program_;
  const Plan& body_;
  int inputs_;
  RowValues values_;
  std::vector<DraftOperand> drafts_;
  std::vector<RowStream> streams_;
  std::map<int, int> stream_of_;  // by root
  std::map<int, Slot> slots_;     // by root
  bool has_indices_ = false;
  std::int64_t tile_row_ = 0;
  std::int64_t stage_row_ = 0;
};

}  // namespace arignote::device
