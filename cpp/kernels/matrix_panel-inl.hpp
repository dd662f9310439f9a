// What the products of panels read, and what they fetch meanwhile because it is read soon after.
// Compiled once per SIMD target: include after hwy/foreach_target.h and hwy/highway.h.

#if defined(ARN_MATRIX_PANEL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_MATRIX_PANEL_INL
#undef ARN_MATRIX_PANEL_INL
#else
#define ARN_MATRIX_PANEL_INL
#endif

#include <algorithm>
#include <cstdint>

#include "kernels/matrix_pack-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

// A panel of rows times a panel of columns, of whose last vector only some lanes may be there.
template <class T>
struct PanelProduct {
  std::int64_t depth;
  const T* a;
  const T* b;
  std::int64_t b_step;
  Result<T> out;
  std::int64_t last_lanes;
  bool adds;
  // Cache lines that are needed soon, one for each depth until there are no more.
  const T* ahead = nullptr;
  std::int64_t ahead_step = 0;
  std::int64_t ahead_count = 0;
};

// Lines that are read after those at work, fetched by the products of panels meanwhile: one of them
// takes the same cache line of each line; or of each depth, where those are dense.
template <class T>
class Ahead {
 public:
  Ahead(const Lines<T>& next, std::int64_t products) : data_(next.data) {
    const bool is_dense = next.line_step == 1;
    if (next.count == 0 || (!is_dense && next.depth_step != 1)) return;
    step_ = is_dense ? next.depth_step : next.line_step;
    count_ = is_dense ? next.depth : std::min(next.count, next.depth);
    // One more than they take if they begin with a cache line.
    left_ = (is_dense ? next.count : next.depth) / kLine<T> + 1;
    interval_ = std::max<std::int64_t>(1, products / left_);
  }
  void give(PanelProduct<T>& product, std::int64_t number) {
    if (left_ == 0 || number % interval_ != 0) return;
    product.ahead = data_;
    product.ahead_step = step_;
    product.ahead_count = std::min(count_, product.depth);
    data_ += kLine<T>;
    --left_;
  }

 private:
  const T* data_;
  std::int64_t step_ = 0;
  std::int64_t count_ = 0;
  std::int64_t left_ = 0;
  std::int64_t interval_ = 1;
};

// Columns that have been packed, or whole panels of them that are read where they are.
template <class T>
struct Columns {
  const T* data;
  std::int64_t depth;
  std::int64_t step;  // from one depth to the next; for packed ones it is a panel's width
  bool is_packed;
  bool is_far;  // whether a panel may have left the second cache since it was packed

  const T* from(std::int64_t column) const { return data + column * (is_packed ? depth : 1); }
  // Of those that are not packed.
  Lines<T> panel(std::int64_t column, std::int64_t end) const {
    return {data + column, 1, step, std::min(kColumns<T>, end - column), depth};
  }
};

// The packed panel that is read after this one, fetched by the first products of this one.
template <class T>
class NextPanel {
 public:
  NextPanel(const Columns<T>& b, std::int64_t column, std::int64_t end) : depth_(b.depth) {
    if (!b.is_far || column >= end) return;
    data_ = b.from(column);
    lines_ = whole(std::min(kColumns<T>, end - column), kLanes<T>) * depth_ / kLine<T>;
  }
  // Returns whether that product has something to fetch.
  bool give(PanelProduct<T>& product, std::int64_t number) const {
    const std::int64_t first = number * depth_;
    if (first >= lines_) return false;
    product.ahead = data_ + first * kLine<T>;
    product.ahead_step = kLine<T>;
    product.ahead_count = std::min(depth_, lines_ - first);
    return true;
  }
  // How many products have.
  std::int64_t products() const { return lines_ == 0 ? 0 : (lines_ + depth_ - 1) / depth_; }

 private:
  const T* data_ = nullptr;
  std::int64_t depth_;
  std::int64_t lines_ = 0;
};

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_MATRIX_PANEL_INL
