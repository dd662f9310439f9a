#include "kernels/matrix_tile.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matrix_tile.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/cache_control.h"
#include "hwy/highway.h"

#include "kernels/matrix_panel-inl.hpp"
#include "kernels/partial-inl.hpp"
#include "kernels/registers-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

static_assert(kPanelBytes % (kColumns<float> * sizeof(float)) == 0);

template <bool kAdds, class T, class V, int kCount, int kWide>
HWY_INLINE void put(const V (&sums)[kCount][kWide], Result<T> out) {
  const hn::ScalableTag<T> d;
  ARN_UNROLL
  for (const auto& row : sums) {
    for (int v = 0; v < kWide; ++v) {
      T* const to = out.data + v * kLanes<T>;
      hn::StoreU(kAdds ? hn::Add(hn::LoadU(d, to), row[v]) : row[v], d, to);
    }
    out.data += out.row_step;
  }
}

// Of the last vector of each row there are some lanes only.
template <class T, class V, int kCount, int kWide>
HWY_NOINLINE void put_part(const V (&sums)[kCount][kWide], const PanelProduct<T>& p) {
  const hn::ScalableTag<T> d;
  const auto count = static_cast<std::size_t>(p.last_lanes);
  for (int r = 0; r < kCount; ++r) {
    T* const out = p.out.data + r * p.out.row_step;
    for (int v = 0; v < kWide - 1; ++v) {
      T* const to = out + v * kLanes<T>;
      hn::StoreU(p.adds ? hn::Add(hn::LoadU(d, to), sums[r][v]) : sums[r][v], d, to);
    }
    T* const last = out + (kWide - 1) * kLanes<T>;
    const V sum = sums[r][kWide - 1];
    store_first(p.adds ? hn::Add(load_first(d, last, count, T{0}), sum) : sum, d, last, count);
  }
}

template <class T, int kCount, int kWide>
void multiply_panels(const PanelProduct<T>& p) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  V sums[kCount][kWide];
  for (auto& row : sums) {
    for (V& sum : row) sum = hn::Zero(d);
  }
  for (int r = 0; r < kCount; ++r) {
    const T* const out = p.out.data + r * p.out.row_step;
    for (int v = 0; v < kWide; ++v) hwy::Prefetch(out + v * kLanes<T>);
    hwy::Prefetch(out + kWide * kLanes<T> - 1);
  }
  const T* a = p.a;
  const T* b = p.b;
  const T* ahead = p.ahead;
  std::int64_t step = p.ahead_step;
  std::int64_t end = p.ahead_count;
  for (std::int64_t k = 0; k < p.depth; end = p.depth, ahead = a, step = 0) {
    for (; k < end; ++k) {
      __builtin_prefetch(ahead, 0, 2);  // into the second cache
      V columns[kWide];
      for (int v = 0; v < kWide; ++v) columns[v] = in_register(hn::LoadU(d, b + v * kLanes<T>));
      for (int r = 0; r < kCount; ++r) {
        const V row = in_register(hn::Set(d, a[r]));
        for (int v = 0; v < kWide; ++v) sums[r][v] = hn::MulAdd(row, columns[v], sums[r][v]);
      }
      a += kCount;
      b += p.b_step;
      ahead += step;
    }
  }
  if constexpr (kLanes<T> > 1) {
    if (p.last_lanes < kLanes<T>) return put_part(sums, p);
  }
  p.adds ? put<true>(sums, p.out) : put<false>(sums, p.out);
}

// Two panels of rows, the first with a row more if their number is odd, times one vector of
// columns. Columns that are read where they are come into the first cache once so, not once for
// each panel: a panel of them, with gaps between its rows, would not stay there.
template <class T, int kCount>
void multiply_two_panels(const PanelProduct<T>& p) {
  constexpr int kFirst = (kCount + 1) / 2;
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  V sums[kCount][1];
  ARN_UNROLL
  for (int r = 0; r < kCount; ++r) {
    sums[r][0] = hn::Zero(d);
    const T* const out = p.out.data + r * p.out.row_step;
    hwy::Prefetch(out);
    hwy::Prefetch(out + kLanes<T> - 1);
  }
  const T* first = p.a;
  const T* second = p.a + kFirst * p.depth;
  const T* b = p.b;
  const T* ahead = p.ahead;
  for (std::int64_t k = 0; k < p.depth; ++k) {
    __builtin_prefetch(ahead, 0, 2);  // into the second cache
    const V column = in_register(hn::LoadU(d, b));
    ARN_UNROLL
    for (int r = 0; r < kCount; ++r) {
      const T row = r < kFirst ? first[r] : second[r - kFirst];
      sums[r][0] = hn::MulAdd(hn::Set(d, row), column, sums[r][0]);
    }
    first += kFirst;
    second += kCount - kFirst;
    b += p.b_step;
    ahead += p.ahead_step;
  }
  p.adds ? put<true>(sums, p.out) : put<false>(sums, p.out);
}

template <class T>
using PanelFn = void (*)(const PanelProduct<T>&);

template <class T, int kWide, int... kLess>
constexpr std::array<PanelFn<T>, kRows> by_rows(std::integer_sequence<int, kLess...>) {
  return {&multiply_panels<T, kLess + 1, kWide>...};
}

// [vectors - 1][rows - 1]
template <class T>
constexpr std::array<std::array<PanelFn<T>, kRows>, kVectors> kPanelFunctions = {
    by_rows<T, 1>(std::make_integer_sequence<int, kRows>()),
    by_rows<T, 2>(std::make_integer_sequence<int, kRows>())};

template <class T, int... kLess>
constexpr std::array<PanelFn<T>, kRows> by_more_rows(std::integer_sequence<int, kLess...>) {
  return {&multiply_two_panels<T, kRows + kLess + 1>...};
}

// [rows - kRows - 1]
template <class T>
constexpr std::array<PanelFn<T>, kRows> kTwoPanelFunctions =
    by_more_rows<T>(std::make_integer_sequence<int, kRows>());

// A panel of rows times the panel of columns that begins there; of what rows is left open.
template <class T>
PanelProduct<T> product_with(const MatrixTile<T>& tile, const Columns<T>& b, std::int64_t column) {
  const std::int64_t columns = std::min(kColumns<T>, tile.columns - column);
  const std::int64_t width = whole(columns, kLanes<T>);
  return {.depth = tile.depth,
          .a = nullptr,
          .b = b.from(column),
          .b_step = b.is_packed ? width : b.step,
          .out = {tile.out.data + column, tile.out.row_step},
          .last_lanes = columns - width + kLanes<T>,
          .adds = tile.adds};
}

template <class T>
PanelFn<T> function_for(std::int64_t columns, std::int64_t rows) {
  const std::int64_t vectors = whole(std::min(columns, kColumns<T>), kLanes<T>) / kLanes<T>;
  return kPanelFunctions<T>[static_cast<std::size_t>(vectors - 1)]
                           [static_cast<std::size_t>(rows - 1)];
}

// Each panel of columns by all rows, while it is in the first cache.
template <class T>
void multiply_packed(const MatrixTile<T>& tile, const T* a, const Columns<T>& b,
                     const Lines<T>& next) {
  const RowPanels panels(tile.rows);
  const std::int64_t across = whole(tile.columns, kColumns<T>) / kColumns<T>;
  const std::int64_t taken = NextPanel<T>(b, 0, tile.columns).products();
  Ahead<T> ahead(next, across * std::max<std::int64_t>(1, panels.count - taken));
  std::int64_t number = 0;
  for (std::int64_t column = 0; column < tile.columns; column += kColumns<T>) {
    PanelProduct<T> product = product_with(tile, b, column);
    product.a = a;
    const std::int64_t end = std::min(column + kColumns<T>, tile.columns);
    if (!b.is_packed) {
      ahead = Ahead<T>(b.panel(end, tile.columns), panels.count);
      number = 0;
    }
    const NextPanel<T> next_panel(b, end, tile.columns);
    for (std::int64_t panel = 0; panel < panels.count; ++panel) {
      const std::int64_t rows = panels.rows(panel);
      product.ahead_count = 0;
      if (!next_panel.give(product, panel)) ahead.give(product, number++);
      function_for<T>(tile.columns - column, rows)(product);
      product.a += rows * tile.depth;
      product.out.data += rows * tile.out.row_step;
    }
  }
}

// Each panel of rows by a strip of columns that is in the second cache: the result is written row
// by row, which memory is faster at than at short pieces of many rows.
template <class T>
void multiply_packed_by_rows(const MatrixTile<T>& tile, const T* a, const Columns<T>& b,
                             const Lines<T>& next) {
  const RowPanels panels(tile.rows);
  const std::int64_t across = whole(tile.columns, kColumns<T>) / kColumns<T>;
  Ahead<T> ahead(next, across * panels.count);
  std::int64_t number = 0;
  for (std::int64_t panel = 0; panel < panels.count; ++panel) {
    const std::int64_t rows = panels.rows(panel);
    for (std::int64_t column = 0; column < tile.columns; column += kColumns<T>) {
      PanelProduct<T> product = product_with(tile, b, column);
      product.a = a + panels.first(panel) * tile.depth;
      product.out.data += panels.first(panel) * tile.out.row_step;
      ahead.give(product, number++);
      function_for<T>(tile.columns - column, rows)(product);
    }
  }
}

template <class T>
constexpr std::int64_t kStrip = kStripBytes / static_cast<std::int64_t>(sizeof(T));

// Lines in each strip, a multiple of `unit`: strips are about equal, as one of few lines would take
// almost as long as one of many.
template <class T>
std::int64_t strip_lines(std::int64_t count, std::int64_t unit) {
  const std::int64_t strips = std::max<std::int64_t>(1, (count + kStrip<T> - 1) / kStrip<T>);
  return std::max(unit, whole((count + strips - 1) / strips, unit));
}

// visit(first, strip, next) for strips of lines, next being the one that follows.
template <class T, class Visit>
HWY_INLINE void for_each_strip(const Lines<T>& lines, std::int64_t unit, const Lines<T>& after,
                               Visit&& visit) {
  const std::int64_t length = strip_lines<T>(lines.count, unit);
  const std::int64_t length_after = strip_lines<T>(after.count, unit);
  for (std::int64_t first = 0; first < lines.count; first += length) {
    const std::int64_t end = std::min(first + length, lines.count);
    const Lines<T>& from = end < lines.count ? lines : after;
    const std::int64_t start = end < lines.count ? end : 0;
    const std::int64_t most = end < lines.count ? length : length_after;
    visit(first, lines.part(first, end - first),
          from.part(start, std::min(most, from.count - start)));
  }
}

template <class T>
Lines<T> rows_of(const Factor<T>& a, std::int64_t rows, std::int64_t depth) {
  return {a.data, a.row_step, a.column_step, rows, depth};
}

template <class T>
Lines<T> columns_of(const Factor<T>& b, std::int64_t columns, std::int64_t depth) {
  return {b.data, b.column_step, b.row_step, columns, depth};
}

template <class T>
void pack_rows(const Factor<T>& a, std::int64_t rows, std::int64_t depth, T* packed) noexcept {
  pack_row_panels(rows_of(a, rows, depth), packed);
}

template <class T>
void pack_columns(const Factor<T>& b, std::int64_t columns, std::int64_t depth,
                  T* packed) noexcept {
  pack_column_panels(columns_of(b, columns, depth), packed);
}

template <class T>
MatrixTile<T> columns_from(MatrixTile<T> tile, std::int64_t first, std::int64_t count) {
  tile.columns = count;
  tile.other = tile.other.from(0, first);
  tile.out.data += first;
  return tile;
}

template <class T>
MatrixTile<T> rows_from(MatrixTile<T> tile, std::int64_t first, std::int64_t count) {
  tile.rows = count;
  tile.other = tile.other.from(first, 0);
  tile.out.data += first * tile.out.row_step;
  return tile;
}

// With few rows, packing would take longer than it saves, unless the rows of b lie so far apart
// that most of them are not in a cache.
template <class T>
bool reads_in_place(const MatrixTile<T>& tile) {
  constexpr std::int64_t kFewRows = 5 * kRows;
  constexpr std::int64_t kNear = (16 << 10) / sizeof(T);
  return tile.rows <= kFewRows && tile.other.column_step == 1 && tile.other.row_step <= kNear &&
         tile.other.row_step >= -kNear;
}

// So many that the result of a strip has more rows than the processor looks ahead in.
constexpr std::int64_t kManyRows = 6 * kRows;

// Of columns there are whole vectors.
template <class T>
void multiply_two_panels_in_place(const MatrixTile<T>& tile) {
  PanelProduct<T> product{.depth = tile.depth,
                          .a = tile.packed,
                          .b = tile.other.data,
                          .b_step = tile.other.row_step,
                          .out = tile.out,
                          .last_lanes = kLanes<T>,
                          .adds = tile.adds,
                          .ahead_step = tile.other.row_step};
  const PanelFn<T> multiply =
      kTwoPanelFunctions<T>[static_cast<std::size_t>(tile.rows - kRows - 1)];
  for (std::int64_t column = kLanes<T>; column <= tile.columns; column += kLanes<T>) {
    const bool is_last = column == tile.columns && tile.next.data != nullptr;
    // The cache line in which the next vector ends: where it begins is one of this vector's.
    const T* const next = is_last ? tile.next.data : product.b + kLanes<T>;
    product.ahead = next + kLanes<T> - 1;
    multiply(product);
    product.b += kLanes<T>;
    product.out.data += kLanes<T>;
  }
}

template <class T>
void multiply_packed_rows(const MatrixTile<T>& tile) noexcept {
  const bool in_place = reads_in_place(tile);
  const bool has_two_panels = in_place && tile.rows > kRows && tile.rows <= 2 * kRows;
  const std::int64_t unit = has_two_panels ? kLanes<T> : kColumns<T>;
  const std::int64_t start = in_place ? tile.columns / unit * unit : 0;
  if (has_two_panels) {
    multiply_two_panels_in_place(columns_from(tile, 0, start));
  } else {
    multiply_packed<T>(columns_from(tile, 0, start), tile.packed,
                       {tile.other.data, tile.depth, tile.other.row_step, false, false}, {});
  }
  const MatrixTile<T> rest = columns_from(tile, start, tile.columns - start);
  for_each_strip(columns_of(rest.other, rest.columns, tile.depth), kColumns<T>,
                 columns_of(tile.next, tile.next.data != nullptr ? tile.columns : 0, tile.depth),
                 [&](std::int64_t first, const Lines<T>& columns, const Lines<T>& next) HWY_ATTR {
                   pack_column_panels(columns, tile.strip);
                   const auto multiply =
                       tile.rows > kManyRows ? &multiply_packed_by_rows<T> : &multiply_packed<T>;
                   multiply(columns_from(rest, first, columns.count), tile.packed,
                            {tile.strip, tile.depth, 0, true, false}, next);
                 });
}

template <class T>
void multiply_packed_columns(const MatrixTile<T>& tile) noexcept {
  for_each_strip(rows_of(tile.other, tile.rows, tile.depth), 1,
                 rows_of(tile.next, tile.next.data != nullptr ? tile.rows : 0, tile.depth),
                 [&](std::int64_t first, const Lines<T>& rows, const Lines<T>& next) HWY_ATTR {
                   pack_row_panels(rows, tile.strip);
                   multiply_packed<T>(rows_from(tile, first, rows.count), tile.strip,
                                      {tile.packed, tile.depth, 0, true, true}, next);
                 });
}

template <class T>
MatrixFunctions<T> functions() {
  return {.pack_rows = &pack_rows<T>,
          .multiply_packed_rows = &multiply_packed_rows<T>,
          .pack_columns = &pack_columns<T>,
          .multiply_packed_columns = &multiply_packed_columns<T>,
          .nanoseconds = 0.16 / static_cast<double>(kLanes<T>)};
}

}  // namespace

MatrixFunctions<float> functions_f32() { return functions<float>(); }
MatrixFunctions<double> functions_f64() { return functions<double>(); }

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {

HWY_EXPORT(functions_f32);
HWY_EXPORT(functions_f64);

template <>
MatrixFunctions<float> matrix_functions() {
  return HWY_DYNAMIC_DISPATCH(functions_f32)();
}

template <>
MatrixFunctions<double> matrix_functions() {
  return HWY_DYNAMIC_DISPATCH(functions_f64)();
}

}  // namespace arignote
#endif  // HWY_ONCE
