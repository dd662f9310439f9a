#include "kernels/product_rows.hpp"

#include <algorithm>

#include "core/division.hpp"
#include "core/parallel.hpp"
#include "kernels/block_table.hpp"
#include "kernels/matrix_product.hpp"
#include "kernels/strided.hpp"

namespace arignote {
namespace {

// A smaller product stays in the second cache until it is read.
constexpr std::int64_t kLeastBytes = 256 << 10;
// Every thread reads all of b, once for some rows: it must stay there itself.
constexpr std::int64_t kMostPackedBytes = 512 << 10;
// Of the product for one element of a copy of a or b.
constexpr std::int64_t kLeastRatio = 4;

template <class T>
constexpr auto kItem = static_cast<std::int64_t>(sizeof(T));

template <class T>
constexpr std::int64_t kPanel = kPanelBytes / kItem<T>;

}  // namespace

template <class T>
bool ProductRows<T>::plan(const ProductShape& shape) noexcept {
  shape_ = shape;
  functions_ = matrix_functions<T>();
  copy_ = run_of(Update::kSet, dtype_of<T>());
  const auto& [m, n, k] = shape;
  packed_length_ = ceil_div(n, kPanel<T>) * kPanel<T> * k;
  if (k == 0 || k > kMostTileDepth || m * n * kItem<T> < kLeastBytes ||
      (m + n) * k * kLeastRatio > m * n || packed_length_ * kItem<T> > kMostPackedBytes) {
    return false;
  }
  return memory_.reserve(static_cast<std::size_t>((packed_length_ + m * k) * kItem<T>));
}

// Lines of a lie in the copy as they do in memory.
template <class T>
void ProductRows<T>::take(const Factor<T>& a, const Factor<T>& b) noexcept {
  const bool by_columns = a.row_step == 1;
  a_ = by_columns ? Factor<T>{copy(), 1, shape_.m} : Factor<T>{copy(), shape_.k, 1};
  const Factor<T> lines = by_columns ? a.transposed() : a;
  const std::int64_t count = by_columns ? shape_.k : shape_.m;
  const std::int64_t some_lines = items_per_task(length_of_line() * kItem<T>);
  const std::int64_t line_tasks = ceil_div(count, some_lines);
  const std::int64_t some_columns = items_per_task(shape_.k * kPanelBytes) * kPanel<T>;
  parallel_for(line_tasks + ceil_div(shape_.n, some_columns), [&](std::int64_t task) {
    const std::int64_t first =
        task < line_tasks ? task * some_lines : (task - line_tasks) * some_columns;
    if (task < line_tasks) {
      copy_lines(lines, first, std::min(first + some_lines, count));
    } else {
      pack_columns(b, first, std::min(first + some_columns, shape_.n));
    }
  });
}

template <class T>
void ProductRows<T>::copy_lines(const Factor<T>& lines, std::int64_t first,
                                std::int64_t last) noexcept {
  const std::int64_t length = length_of_line();
  for (std::int64_t line = first; line < last; ++line) {
    const T* const from = lines.data + line * lines.row_step;
    copy_(reinterpret_cast<std::byte*>(copy() + line * length), kItem<T>,
          reinterpret_cast<const std::byte*>(from), lines.column_step * kItem<T>, length);
  }
}

template <class T>
void ProductRows<T>::pack_columns(const Factor<T>& b, std::int64_t first,
                                  std::int64_t last) noexcept {
  functions_.pack_columns(b.from(0, first), last - first, shape_.k, packed() + first * shape_.k);
}

template <class T>
void ProductRows<T>::compute(std::int64_t first, std::int64_t last,
                             std::byte* rows) const noexcept {
  functions_.multiply_packed_columns({.rows = last - first,
                                      .columns = shape_.n,
                                      .depth = shape_.k,
                                      .packed = packed(),
                                      .other = a_.from(first, 0),
                                      .next = {nullptr, 0, 0},
                                      .out = {reinterpret_cast<T*>(rows), shape_.n},
                                      .adds = false,
                                      .strip = reinterpret_cast<T*>(strip_memory())});
}

template class ProductRows<float>;
template class ProductRows<double>;

}  // namespace arignote
