// Packing lines of a matrix, rows of the left operand or columns of the right one, into panels.
// Compiled once per SIMD target: include after hwy/foreach_target.h and hwy/highway.h.

#if defined(ARN_MATRIX_PACK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ARN_MATRIX_PACK_INL
#undef ARN_MATRIX_PACK_INL
#else
#define ARN_MATRIX_PACK_INL
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

#include "core/buffer.hpp"
#include "kernels/partial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));

// A panel of columns is kVectors vectors wide, and one of rows up to kRows rows high: their sums
// fill the registers, but for one vector of each operand.
constexpr int kVectors = 2;
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr int kRows = 14;  // of 32 registers
#else
constexpr int kRows = 6;  // of 16
#endif
template <class T>
constexpr std::int64_t kColumns = kVectors * kLanes<T>;

// Elements in a cache line.
template <class T>
constexpr auto kLine = static_cast<std::int64_t>(kAlignment / sizeof(T));

constexpr std::int64_t whole(std::int64_t count, std::int64_t unit) {
  return (count + unit - 1) / unit * unit;
}

// Element k of line i is data[i * line_step + k * depth_step].
template <class T>
struct Lines {
  const T* data;
  std::int64_t line_step;
  std::int64_t depth_step;
  std::int64_t count;
  std::int64_t depth;

  Lines part(std::int64_t first, std::int64_t lines) const {
    return {data + first * line_step, line_step, depth_step, lines, depth};
  }
};

// Rows are divided as evenly as may be: the first `longer` panels have one more than the others.
struct RowPanels {
  explicit RowPanels(std::int64_t rows)
      : count((rows + kRows - 1) / kRows), least(rows / count), longer(rows % count) {}

  std::int64_t rows(std::int64_t panel) const { return least + (panel < longer ? 1 : 0); }
  std::int64_t first(std::int64_t panel) const { return panel * least + std::min(panel, longer); }

  std::int64_t count;
  std::int64_t least;
  std::int64_t longer;
};

// packed[k * width + i] = element k of line i, for the depth from `from`.
template <class T>
void pack_any(const Lines<T>& lines, std::int64_t from, T* packed, std::int64_t width) {
  for (std::int64_t k = from; k < lines.depth; ++k) {
    const T* const source = lines.data + k * lines.depth_step;
    T* const target = packed + k * width;
    for (std::int64_t i = 0; i < lines.count; ++i) target[i] = source[i * lines.line_step];
  }
}

#if HWY_TARGET != HWY_SCALAR

template <class T>
constexpr int kBlock = static_cast<int>(16 / sizeof(T));

// A vector of the first lines of each block of kBlock lines.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_blocks(D d, const T* const* lines, std::int64_t k) {
  if constexpr (hn::MaxLanes(d) == kBlock<T>) {
    return hn::LoadU(d, *lines + k);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, lines + hn::MaxLanes(half), k),
                       load_blocks(half, lines, k));
  }
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void transpose_blocks(D d, V (&v)[2]) {
  const V low = hn::InterleaveLower(d, v[0], v[1]);
  v[1] = hn::InterleaveUpper(d, v[0], v[1]);
  v[0] = low;
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void transpose_blocks(D d, V (&v)[4]) {
  const V even_low = hn::InterleaveLower(d, v[0], v[2]);
  const V even_high = hn::InterleaveUpper(d, v[0], v[2]);
  const V odd_low = hn::InterleaveLower(d, v[1], v[3]);
  const V odd_high = hn::InterleaveUpper(d, v[1], v[3]);
  v[0] = hn::InterleaveLower(d, even_low, odd_low);
  v[1] = hn::InterleaveUpper(d, even_low, odd_low);
  v[2] = hn::InterleaveLower(d, even_high, odd_high);
  v[3] = hn::InterleaveUpper(d, even_high, odd_high);
}

// Of dense lines. As many as a vector has lanes are transposed, kBlock<T> elements of each at a
// time; lines that are missing are repeats of the last, and are not stored.
template <class T>
void transpose(const Lines<T>& lines, T* packed, std::int64_t width) {
  const hn::ScalableTag<T> d;
  const std::int64_t depth = lines.depth / kBlock<T> * kBlock<T>;
  for (std::int64_t first = 0; first < lines.count; first += kLanes<T>) {
    const T* starts[kLanes<T>];
    for (std::int64_t i = 0; i < kLanes<T>; ++i) {
      starts[i] = lines.data + std::min(first + i, lines.count - 1) * lines.line_step;
    }
    const auto count = static_cast<std::size_t>(std::min(kLanes<T>, lines.count - first));
    for (std::int64_t k = 0; k < depth; k += kBlock<T>) {
      hn::Vec<decltype(d)> v[kBlock<T>];
      for (int i = 0; i < kBlock<T>; ++i) v[i] = load_blocks(d, starts + i, k);
      transpose_blocks(d, v);
      for (int i = 0; i < kBlock<T>; ++i) {
        T* const target = packed + (k + i) * width + first;
        count == kLanes<T> ? hn::StoreU(v[i], d, target) : store_first(v[i], d, target, count);
      }
    }
  }
  pack_any(lines, depth, packed, width);
}

#endif  // HWY_TARGET != HWY_SCALAR

template <class T>
void pack_panel(const Lines<T>& lines, T* packed, std::int64_t width) {
#if HWY_TARGET != HWY_SCALAR
  if (lines.depth_step == 1) return transpose(lines, packed, width);
#endif
  pack_any(lines, 0, packed, width);
}

// Lines whose elements of one depth lie together already are read in memory order, all panels
// together: visit(k, source).
template <class T, class Visit>
HWY_INLINE void for_each_depth(const Lines<T>& lines, Visit&& visit) {
  constexpr std::int64_t kAhead = 16;
  for (std::int64_t k = 0; k < lines.depth; ++k) {
    const T* const source = lines.data + k * lines.depth_step;
    if (k + kAhead < lines.depth) {
      for (std::int64_t i = 0; i < lines.count; i += kLine<T>) {
        hwy::Prefetch(source + kAhead * lines.depth_step + i);
      }
    }
    visit(k, source);
  }
}

template <class T>
HWY_INLINE void copy_vectors(const T* from, T* to, std::int64_t count) {
  const hn::ScalableTag<T> d;
  for (std::int64_t i = 0; i < count; i += kLanes<T>) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
}

template <class T>
HWY_INLINE void copy_exactly(const T* from, T* to, std::int64_t count) {
  const hn::ScalableTag<T> d;
  const std::int64_t vectors = count / kLanes<T> * kLanes<T>;
  copy_vectors(from, to, vectors);
  if (vectors == count) return;
  const auto rest = static_cast<std::size_t>(count - vectors);
  store_first(load_first(d, from + vectors, rest, T{0}), d, to + vectors, rest);
}

// Vectors that reach beyond a panel are overwritten by the next depth. They are much faster than
// those under a mask where memory is not in a cache.
template <class T>
void pack_dense_rows(const Lines<T>& rows, T* packed) {
  const RowPanels panels(rows.count);
  for_each_depth(rows, [&](std::int64_t k, const T* source) HWY_ATTR {
    for (std::int64_t panel = 0; panel < panels.count; ++panel) {
      const std::int64_t first = panels.first(panel);
      const std::int64_t count = panels.rows(panel);
      T* const target = packed + first * rows.depth + k * count;
      const bool is_room =
          k + kLanes<T> < rows.depth && first + whole(count, kLanes<T>) <= rows.count;
      is_room ? copy_vectors(source + first, target, count)
              : copy_exactly(source + first, target, count);
    }
  });
}

// Panels have no gaps inside them or between them.
template <class T>
void pack_row_panels(const Lines<T>& rows, T* packed) {
  if (rows.line_step == 1) return pack_dense_rows(rows, packed);
  const RowPanels panels(rows.count);
  for (std::int64_t panel = 0; panel < panels.count; ++panel) {
    const std::int64_t first = panels.first(panel);
    pack_panel(rows.part(first, panels.rows(panel)), packed + first * rows.depth,
               panels.rows(panel));
  }
}

// Columns that are no whole panel.
template <class T>
void pack_last_columns(const Lines<T>& columns, T* packed) {
  const std::int64_t width = whole(columns.count, kLanes<T>);
  for (std::int64_t i = 0; i < width * columns.depth; i += kLanes<T>) {
    hn::StoreU(hn::Zero(hn::ScalableTag<T>()), hn::ScalableTag<T>(), packed + i);
  }
  if (columns.line_step != 1) return pack_panel(columns, packed, width);
  for_each_depth(columns, [&](std::int64_t k, const T* source) HWY_ATTR {
    copy_exactly(source, packed + k * width, columns.count);
  });
}

// The last panel is filled up to whole vectors.
template <class T>
void pack_column_panels(const Lines<T>& columns, T* packed) {
  const std::int64_t full = columns.count / kColumns<T> * kColumns<T>;
  if (columns.line_step == 1) {
    for_each_depth(columns.part(0, full), [&](std::int64_t k, const T* source) HWY_ATTR {
      for (std::int64_t first = 0; first < full; first += kColumns<T>) {
        copy_vectors(source + first, packed + first * columns.depth + k * kColumns<T>, kColumns<T>);
      }
    });
  } else {
    for (std::int64_t first = 0; first < full; first += kColumns<T>) {
      pack_panel(columns.part(first, kColumns<T>), packed + first * columns.depth, kColumns<T>);
    }
  }
  if (full == columns.count) return;
  pack_last_columns(columns.part(full, columns.count - full), packed + full * columns.depth);
}

}  // namespace
}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ARN_MATRIX_PACK_INL
