#include "backend/row_values.hpp"

#include <algorithm>

#include "kernels/strided.hpp"

namespace arignote::device {
namespace {

bool count_rows(std::span<const Layout> inputs, std::span<const std::int64_t> cut,
                std::int64_t& rows) {
  rows = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (cut[i] < 0) continue;
    const std::int64_t length = inputs[i].shape[cut[i]];
    if (rows != 0 && length != rows) return false;
    rows = length;
  }
  return rows > 0;
}

// The layouts of all buffers, and where windows begin, if there are so many rows.
struct Laid {
  std::vector<Layout> layouts;
  std::vector<std::int64_t> offsets;

  bool lay(const Program& body, std::span<const Layout> inputs, std::span<const std::int64_t> cut,
           std::int64_t rows) {
    std::vector<Layout> own(inputs.begin(), inputs.end());
    std::vector<Source> sources;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (cut[i] >= 0) own[i].shape[cut[i]] = rows;
      sources.push_back({.shape = own[i].shape.data(), .strides = own[i].strides.data()});
    }
    Frame frame(body);
    frame.take(sources);
    if (!frame.settle(body.schedule.segments.front()).ok()) return false;
    layouts.assign(frame.layouts().begin(), frame.layouts().end());
    for (int id = 0; id < body.plan.n_buffers(); ++id) offsets.push_back(frame.offset(id));
    return true;
  }
};

// What changes with the number of rows is an axis of them.
RowValue value_of(const Layout& layout, const Layout& longer, std::int64_t rows) {
  RowValue value{.is_known = layout.ndim <= 2};
  for (int axis = 0; axis < layout.ndim; ++axis) {
    if (layout.shape[axis] == longer.shape[axis]) continue;
    const bool is_of_rows = layout.shape[axis] == rows && longer.shape[axis] == rows + 1;
    if (!is_of_rows || value.has_rows()) value.is_known = false;
    value.row_axis = axis;
  }
  return value;
}

}  // namespace

bool RowValues::find(const Program& body, std::span<const Layout> inputs,
                     std::span<const std::int64_t> cut) {
  Laid laid, longer;
  if (!count_rows(inputs, cut, rows_) || !laid.lay(body, inputs, cut, rows_) ||
      !longer.lay(body, inputs, cut, rows_ + 1)) {
    return false;
  }
  layouts_ = std::move(laid.layouts);
  values_.clear();
  for (int id = 0; id < body.plan.n_buffers(); ++id) {
    RowValue value = value_of(layouts_[id], longer.layouts[id], rows_);
    const BufferSpec& spec = body.plan.buffer(id);
    value.root = id;
    if (spec.is_window()) {
      const RowValue& base = values_[spec.base];
      value.root = base.root;
      value.is_known = value.is_known && base.is_known;
      if (spec.kind == BufferKind::kView) {
        value.offset = base.offset + laid.offsets[id];
        value.is_known = value.is_known && laid.offsets[id] == longer.offsets[id];
      } else {
        // An alias of what has no gaps, else a copy.
        value.offset = base.offset;
        value.is_known = value.is_known && layouts_[spec.base].contiguous();
      }
    }
    values_.push_back(value);
  }
  return true;
}

}  // namespace arignote::device
