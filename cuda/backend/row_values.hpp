// How the values of a body lie along its rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/frame.hpp"
#include "runtime/verify.hpp"

namespace arignote::device {

struct RowValue {
  bool is_known = false;  // it has two axes at most, of which one at most hangs on how many rows
                          // there are, which is then its length
  int row_axis = kNone;
  int root = kNone;         // the buffer in whose memory it lies
  std::int64_t offset = 0;  // from there, in bytes

  bool has_rows() const { return row_axis != kNone; }
  // The other axis of a value with rows, or the only one of another.
  int other_axis(int ndim) const { return ndim < 2 ? kNone : 1 - row_axis; }
};

class RowValues {
 public:
  // Looks at a body that gets such inputs, cut along those axes. False if they have not all as many
  // rows, or none.
  bool find(const Program& body, std::span<const Layout> inputs, std::span<const std::int64_t> cut);

  std::int64_t rows() const { return rows_; }
  const RowValue& operator[](int buffer) const { return values_[buffer]; }
  const Layout& layout(int buffer) const { return layouts_[buffer]; }

 private:
  std::int64_t rows_ = 0;
  std::vector<RowValue> values_;
  std::vector<Layout> layouts_;
};

}  // namespace arignote::device
