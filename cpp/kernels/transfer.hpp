// Moving one strided array into another of the same shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/dtype.hpp"
#include "core/view.hpp"
#include "kernels/strided.hpp"
#include "kernels/transpose.hpp"

namespace arignote {

enum class Update { kSet, kAdd };

// Integers wrap.
template <class T>
T added(T a, T b) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return a || b;
  } else if constexpr (std::is_integral_v<T>) {
    using Bits = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<Bits>(static_cast<Bits>(a) + static_cast<Bits>(b)));
  } else {
    return a + b;
  }
}

// to[i] = from[i] or to[i] += from[i] for `count` elements; strides in bytes. Adding wraps integers
// and is "or" for bool. Null for an addition of complex numbers.
using RunFn = void (*)(std::byte* to, std::int64_t to_stride, const std::byte* from,
                       std::int64_t from_stride, std::int64_t count) noexcept;
RunFn run_of(Update update, DType dtype);

// plan() may be repeated at any time: it allocates nothing. The operands may not overlap, unless
// they are the same array element for element.
class Transfer {
 public:
  Transfer() = default;
  Transfer(Update update, DType dtype)
      : update_(update),
        run_fn_(run_of(update, dtype)),
        item_(static_cast<std::int64_t>(size_of(dtype))) {}

  // Axes of length one in `from` are repeated where `to` is longer. False if the shapes do not fit.
  bool plan(const Layout& to, const Layout& from) noexcept;
  void run(std::byte* to, const std::byte* from) const noexcept;
  double cost() const { return 10.0 + static_cast<double>(bytes_) * 0.1; }

 private:
  void prepare_transpose() noexcept;
  void run_transposed(std::byte* to, const std::byte* from) const noexcept;

  Update update_ = Update::kSet;
  RunFn run_fn_ = nullptr;
  std::int64_t item_ = 1;
  std::int64_t bytes_ = 0;
  Axes<2> axes_;  // operand 0 is `to`
  bool transposes_ = false;
  // Of a transposing copy: the axis along which `from` is dense; axes_ then ends with the one
  // along which `to` is.
  std::int64_t across_ = 0;
  std::int64_t across_stride_ = 0;
  TransposeFn transpose_tile_ = nullptr;
};

}  // namespace arignote
