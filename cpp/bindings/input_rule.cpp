#include "bindings/input_rule.hpp"

#include <array>
#include <atomic>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "kernels/strided.hpp"

namespace arignote {
namespace {

std::atomic<DType> float_x{DType::kFloat64};

constexpr std::array<std::pair<std::string_view, Conversion>, 4> kConversions = {
    {{"strict", Conversion::kStrict},
     {"exact", Conversion::kExact},
     {"floatX", Conversion::kFloatX},
     {"any", Conversion::kAny}}};

// One of these holds the value exactly.
using Number = std::variant<std::int64_t, std::uint64_t, double>;

std::optional<Number> read(DType dtype, const std::byte* data) {
  std::optional<Number> number;
  visit_num(dtype, [&]<class T>(std::type_identity<T>) {
    using Wide = std::conditional_t<std::floating_point<T>, double,
                                    std::conditional_t<sizeof(T) == 8 && std::unsigned_integral<T>,
                                                       std::uint64_t, std::int64_t>>;
    T value;
    std::memcpy(&value, data, sizeof(value));
    number = static_cast<Wide>(value);
  });
  return number;
}

template <std::integral To>
bool is_in_range(std::integral auto value) {
  return std::in_range<To>(value);
}

// Doubles hold both bounds: they are zero or powers of two.
template <std::integral To>
bool is_in_range(double value) {
  constexpr int kDigits = std::numeric_limits<To>::digits;
  constexpr double kEnd = 2.0 * static_cast<double>(std::uint64_t{1} << (kDigits - 1));
  return value >= static_cast<double>(std::numeric_limits<To>::min()) && value < kEnd;
}

// False, with nothing written, if `To` does not hold the value; floats may be rounded.
template <class To, class From>
bool write_as(From value, bool may_round, std::byte* data) {
  To converted{};
  if constexpr (std::floating_point<To>) {
    converted = static_cast<To>(value);
    // NumPy compares in float64: an integer that it rounds counts as rounded only beyond that.
    const auto wide = static_cast<double>(value);
    if (!may_round && static_cast<double>(converted) != wide && !std::isnan(wide)) return false;
  } else if constexpr (std::same_as<To, bool>) {
    if (value != From{0} && value != From{1}) return false;
    converted = value == From{1};
  } else {
    if (!is_in_range<To>(value)) return false;
    converted = static_cast<To>(value);
    if (static_cast<From>(converted) != value) return false;
  }
  std::memcpy(data, &converted, sizeof(converted));
  return true;
}

bool write(DType dtype, const Number& number, bool may_round, std::byte* data) {
  bool written = false;
  visit_num(dtype, [&]<class To>(std::type_identity<To>) {
    written = std::visit([&](auto value) { return write_as<To>(value, may_round, data); }, number);
  });
  return written;
}

// Of bfloat16, which NumPy does not bring, it gives the address.
void copy_scalar(PyObject* value, DType dtype, std::byte* data) {
  if (dtype != DType::kBFloat16) return PyArray_ScalarAsCtype(value, data);
  const void* at = nullptr;
  PyArray_ScalarAsCtype(value, static_cast<void*>(&at));
  std::memcpy(data, at, size_of(dtype));
}

// Whether a dtype has every value of another. NumPy leaves open what bfloat16 holds.
bool holds_all(DType dtype, DType other) {
  if (dtype == other) return true;
  if (dtype == DType::kBFloat16) return size_of(other) == 1;
  if (other == DType::kBFloat16) return dtype >= DType::kFloat32;
  return PyArray_CanCastSafely(type_num_of(other), type_num_of(dtype)) != 0;
}

}  // namespace

std::optional<Conversion> conversion_from_name(PyObject* name) {
  for (const auto& [text, conversion] : kConversions) {
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, text.data()) == 0) {
      return conversion;
    }
  }
  PyErr_Format(PyExc_ValueError,
               "[Function] conversions must be 'strict', 'exact', 'floatX' or 'any': %R", name);
  return std::nullopt;
}

void set_float_x(DType dtype) { float_x.store(dtype, std::memory_order_relaxed); }

InputRule::InputRule(const BufferSpec& spec, Conversion conversion)
    : dtype_(spec.dtype), conversion_(conversion), ndim_(spec.ndim()), descr_(descr_of(dtype_)) {
  for (int axis = 0; axis < ndim_; ++axis) {
    if (spec.broadcastable[axis]) broadcastable_.push_back(axis);
  }
  for (std::size_t given = 0; given < std::size(kDTypeNames); ++given) {
    if (holds_all(dtype_, static_cast<DType>(given))) held_ |= 1U << given;
  }
  // NumPy's scalar types live as long as the process.
  const Ref type(PyArray_TypeObjectFromType(type_num_of(dtype_)));
  scalar_type_ = reinterpret_cast<PyTypeObject*>(type.get());
}

bool InputRule::fits(PyArrayObject* array, int first) const {
  if (PyArray_NDIM(array) != first + ndim_) return false;
  for (const int axis : broadcastable_) {
    if (PyArray_DIM(array, first + axis) != 1) return false;
  }
  return true;
}

bool InputRule::converts(PyArrayObject* array) const {
  if (conversion_ == Conversion::kStrict) return false;
  const auto given = dtype_of(PyArray_DESCR(array));
  return given && holds(*given) && fits(array, 0);
}

Ref InputRule::convert(PyArrayObject* array) const {
  Ref converted = new_array(descr_.get(), ndim_, PyArray_DIMS(array));
  if (converted && PyArray_CopyInto(as_array(converted), array) < 0) return nullptr;
  return converted;
}

bool InputRule::store(PyObject* value, std::byte* data) const {
  if (ndim_ != 0 || conversion_ == Conversion::kStrict) return false;
  if (Py_IS_TYPE(value, scalar_type_)) {
    copy_scalar(value, dtype_, data);
    return true;
  }
  if (PyFloat_CheckExact(value)) {
    return write(dtype_, PyFloat_AS_DOUBLE(value), rounds_floats(), data);
  }
  if (PyLong_CheckExact(value)) {
    int overflow = 0;
    const std::int64_t integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0 && write(dtype_, integer, conversion_ == Conversion::kAny, data);
  }
  if (PyBool_Check(value)) return write(dtype_, std::int64_t{value == Py_True}, true, data);
  const auto given = dtype_of_scalar(Py_TYPE(value));
  if (!given || !holds(*given)) return false;
  alignas(std::max_align_t) std::array<std::byte, 16> scalar;
  copy_scalar(value, *given, scalar.data());
  const auto number = read(*given, scalar.data());
  return number && write(dtype_, *number, true, data);
}

bool InputRule::rounds_floats() const {
  return conversion_ == Conversion::kAny ||
         (conversion_ == Conversion::kFloatX && dtype_ == float_x.load(std::memory_order_relaxed));
}

}  // namespace arignote
