// How the files of block operations and reductions make the tables behind block.hpp.
//
// Each family appends its entries for the SIMD target in force; block_table.cpp lists the families
// by hand and keeps one table for each target that was ever in force.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/dtype.hpp"
#include "kernels/block.hpp"

namespace arignote {

struct BlockTable {
  std::vector<BlockOp> ops;
  std::array<std::vector<BlockOp>, 2> product_ops;  // by the place of the product
  std::vector<BlockReduction> reductions;
  std::vector<BlockReduction> square_sums;

  void add(std::string_view name, std::initializer_list<DType> in, DType out, BlockFn fn,
           float cost);
  void add_product(std::string_view name, std::size_t place, DType dtype, BlockFn fn, float cost);
  void add(const BlockReduction& reduction);
  void add_square_sum(const BlockReduction& reduction);
};

void append_arithmetic(BlockTable& table);
void append_logic(BlockTable& table);
void append_division(BlockTable& table);
void append_quotient(BlockTable& table);
void append_cast(BlockTable& table);
void append_floating(BlockTable& table);
void append_exponential(BlockTable& table);
void append_logarithmic(BlockTable& table);
void append_trigonometric(BlockTable& table);
void append_power(BlockTable& table);
void append_sum(BlockTable& table);
void append_product(BlockTable& table);
void append_extremum(BlockTable& table);

// C++ types as table entries name them; bool is kept as bytes.
template <class... T>
struct Types {};

using SignedTypes = Types<std::int8_t, std::int16_t, std::int32_t, std::int64_t>;
using UnsignedTypes = Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using FloatTypes = Types<float, double>;

template <class... A, class... B>
Types<A..., B...> operator+(Types<A...>, Types<B...>) {
  return {};
}

using IntegerTypes = decltype(SignedTypes{} + UnsignedTypes{});
using NumberTypes = decltype(IntegerTypes{} + FloatTypes{});
using AllTypes = decltype(Types<bool>{} + NumberTypes{});

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return DType::kBool;
  if constexpr (std::is_same_v<T, std::int8_t>) return DType::kInt8;
  if constexpr (std::is_same_v<T, std::int16_t>) return DType::kInt16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kUInt8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return DType::kUInt16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DType::kUInt32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return DType::kUInt64;
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
}

// The type in memory.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

// The type in which arithmetic wraps and equality needs no sign: unsigned for every integer.
template <class T, bool = std::is_integral_v<T> && !std::is_same_v<T, bool>>
struct WrappingType {
  using type = Stored<T>;
};
template <class T>
struct WrappingType<T, true> {
  using type = std::make_unsigned_t<T>;
};
template <class T>
using Wrapping = typename WrappingType<T>::type;

// A table states the cost of 64 bytes of output.
template <class Out>
constexpr float cost_per_element(float nanoseconds) {
  return nanoseconds * 64.0F / static_cast<float>(sizeof(Out));
}

}  // namespace arignote
