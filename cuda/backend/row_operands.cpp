#include "backend/row_operands.hpp"

#include <algorithm>

namespace arignote::device {

bool RowOperands::find(std::span<const Layout> inputs, std::span<const std::int64_t> cut) {
  if (!values_.find(program_, inputs, cut) || n_pointers() > kMostPointers) return false;
  for (int id = 0; id < body_.n_steps(); ++id) {
    if (!find_streams(id)) return false;
  }
  return streams_.size() <= static_cast<std::size_t>(kMostStreams);
}

std::optional<int> RowOperands::pointer_of(int root) const {
  const BufferSpec& spec = body_.buffer(root);
  if (spec.kind == BufferKind::kInput) return spec.number;
  if (spec.kind == BufferKind::kConst) {
    return inputs_ + static_cast<int>(body_.outputs.size()) + spec.number;
  }
  if (output_of(root) == kNone) return std::nullopt;
  return output_pointer(root);
}

// --- streams: what has rows in memory and is multiplied, or is taken from a matrix by an index

bool RowOperands::find_streams(int id) {
  const Step& step = body_.step(id);
  if (step.spec.kernel == "take") return stream_of_take(id);
  if (step.spec.kernel != "dot") return true;
  for (const int operand : step.inputs) {
    const RowValue& value = values_[operand];
    const int root = value.root;
    if (!value.is_known || !value.has_rows() || stream_of_.contains(root)) continue;
    if (body_.buffer(root).kind != BufferKind::kInput) continue;
    const RowStream stream{.pointer = body_.buffer(root).number};
    if (!add_stream(root, layout(root), values_[root], stream)) return false;
  }
  return true;
}

// Rows of `from`, as the root of a value that has them.
bool RowOperands::add_stream(int root, const Layout& from, const RowValue& rows, RowStream stream) {
  const int column_axis = rows.other_axis(from.ndim);
  const std::int64_t columns = column_axis == kNone ? 1 : from.shape[column_axis];
  const std::int64_t item = item_of(from);
  constexpr std::int64_t kMostItem = 8;
  if (!rows.is_known || columns < 1 || item > kMostItem || columns > kMostRowBytes / item) {
    return false;
  }
  stream.columns = static_cast<std::int32_t>(columns);
  stream.item = static_cast<std::int32_t>(item);
  stream.place = static_cast<std::int32_t>(stage_row_);
  stream.pitch = static_cast<std::int32_t>(aligned(columns * item));
  stream.row_step = from.strides[rows.row_axis];
  stream.column_step = column_axis == kNone ? item : from.strides[column_axis];
  stage_row_ += stream.pitch;
  stream_of_[root] = static_cast<int>(streams_.size());
  streams_.push_back(stream);
  return true;
}

bool RowOperands::stream_of_take(int id) {
  const Step& step = body_.step(id);
  const int out = step.outputs[0];
  const RowValue& x = values_[step.inputs[0]];
  const RowValue& index = values_[step.inputs[1]];
  const Layout& from = layout(step.inputs[0]);
  const Layout& indices = layout(step.inputs[1]);
  const bool fits = step.spec.ints[0] == 1 && x.is_known && !x.has_rows() && from.ndim >= 1 &&
                    from.shape[0] > 0 && index.is_known && index.has_rows() && indices.ndim == 1 &&
                    output_of(index.root) == kNone && values_[out].is_known &&
                    values_[out].row_axis == 0 && output_of(out) == kNone;
  if (!fits) return false;
  const auto pointer = pointer_of(x.root);
  const auto index_pointer = pointer_of(index.root);
  if (!pointer || output_of(x.root) != kNone || !index_pointer) return false;
  has_indices_ = true;
  return add_stream(out, from, {.is_known = true, .row_axis = 0},
                    {.pointer = *pointer,
                     .part = id,
                     .offset = x.offset,
                     .is_chosen = true,
                     .index_dtype = indices.dtype,
                     .index_pointer = *index_pointer,
                     .index_offset = index.offset,
                     .index_step = indices.strides[0],
                     .length = from.shape[0]});
}

// --- operands

bool RowOperands::add(int id, int row_axis, int column_axis) {
  const RowValue& value = values_[id];
  const Layout& own = layout(id);
  if (!value.is_known || row_axis >= own.ndim || column_axis >= own.ndim) return false;
  const bool fits = value.has_rows() ? value.row_axis == row_axis : own.shape[row_axis] == 1;
  if (!fits) return false;
  DraftOperand draft;
  draft.operand.dtype = own.dtype;
  draft.operand.offset = value.offset;
  draft.operand.row_step = value.has_rows() ? own.strides[row_axis] : 0;
  draft.columns = column_axis == kNone ? 1 : own.shape[column_axis];
  draft.operand.column_step = draft.columns == 1 ? 0 : own.strides[column_axis];
  if (!place(id, draft)) return false;
  drafts_.push_back(draft);
  return true;
}

bool RowOperands::place(int id, DraftOperand& draft) {
  const int root = values_[id].root;
  if (const auto found = stream_of_.find(root); found != stream_of_.end()) {
    const RowStream& stream = streams_[static_cast<std::size_t>(found->second)];
    draft.operand.place = RowOperand::Place::kStaged;
    draft.before = stream.place;
    return narrow(root, stream.pitch, draft);
  }
  const bool is_computed = !body_.buffer(root).is_source();
  // Of a sum nothing is there before the end.
  if (is_computed && (body_.buffer(root).kind != BufferKind::kTemp || !values_[root].has_rows())) {
    return false;
  }
  if (const auto pointer = pointer_of(root)) {
    draft.operand.place = RowOperand::Place::kMemory;
    draft.operand.pointer = *pointer;
    return true;
  }
  const Slot slot = slot_of(root);
  draft.operand.place = RowOperand::Place::kTile;
  draft.before = slot.before;
  return narrow(root, slot.pitch, draft);
}

// From a place among all rows to one among a tile's, each of which is at a multiple of the pitch
// and has its elements side by side.
bool RowOperands::narrow(int root, std::int64_t pitch, DraftOperand& draft) const {
  const Layout& from = layout(root);
  const RowValue& rows = values_[root];
  if (!rows.is_known || !rows.has_rows()) return false;
  const int column_axis = rows.other_axis(from.ndim);
  const std::int64_t columns = column_axis == kNone ? 1 : from.shape[column_axis];
  const std::int64_t step = columns == 1 ? item_of(from) : from.strides[column_axis];
  RowOperand& own = draft.operand;
  const bool has_its_rows = values_.rows() == 1 || own.row_step == from.strides[rows.row_axis];
  if (!has_its_rows || step == 0 || own.offset % step != 0 || own.column_step % step != 0) {
    return false;
  }
  const std::int64_t first = own.offset / step;
  const std::int64_t last = first + (draft.columns - 1) * (own.column_step / step);
  if (std::min(first, last) < 0 || std::max(first, last) >= columns) return false;
  own.offset = first * item_of(from);
  own.row_step = pitch;
  own.column_step = own.column_step / step * item_of(from);
  return true;
}

RowOperands::Slot RowOperands::slot_of(int root) {
  const auto [found, is_new] = slots_.try_emplace(root);
  if (is_new) {
    const Layout& own = layout(root);
    const int column_axis = values_[root].other_axis(own.ndim);
    const std::int64_t columns = column_axis == kNone ? 1 : own.shape[column_axis];
    found->second = {tile_row_, aligned(columns * item_of(own))};
    tile_row_ += found->second.pitch;
  }
  return found->second;
}

}  // namespace arignote::device
