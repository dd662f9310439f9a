// What an argument must be to be taken without Python's help. What these rules do not take goes to
// Function._convert, and what they take arrives as it would from there (run/shared.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bindings/numpy.hpp"
#include "runtime/plan.hpp"

namespace arignote {

// What an input takes beside arrays of its very dtype.
enum class Conversion : std::uint8_t {
  kStrict,
  kExact,   // arrays of dtypes that its own holds, and Python numbers that keep their value
  kFloatX,  // as well, rounded, Python floats if its dtype is floatX
  kAny,     // Python numbers of any value, rounded
};

// Empty, with a Python error set, for what is no name of a conversion.
std::optional<Conversion> conversion_from_name(PyObject* name);

// The dtype that the flag floatX names at present.
void set_float_x(DType dtype);

class InputRule {
 public:
  InputRule(const BufferSpec& spec, Conversion conversion);

  // Whether an array can be read as it is.
  bool accepts(PyArrayObject* array) const { return reads(array) && fits(array, 0); }
  // Whether each of its slices along a further axis, the first, can be.
  bool accepts_stack(PyArrayObject* array) const { return reads(array) && fits(array, 1); }
  // Whether it can be once `convert` has copied it.
  bool converts(PyArrayObject* array) const;
  Ref convert(PyArrayObject* array) const;

  // Stores a 0-d value that needs no array; false if it is none.
  bool store(PyObject* value, std::byte* data) const;

 private:
  bool reads(PyArrayObject* array) const {
    return dtype_of(PyArray_DESCR(array)) == dtype_ && is_behaved(array);
  }
  // Whether the axes from the one named `first` on are the input's.
  bool fits(PyArrayObject* array, int first) const;
  bool holds(DType given) const { return (held_ >> static_cast<unsigned>(given) & 1U) != 0; }
  bool rounds_floats() const;

  DType dtype_;
  Conversion conversion_;
  int ndim_;
  std::vector<int> broadcastable_;  // axes that must have length 1
  std::uint32_t held_ = 0;          // a bit for each dtype of which this one holds every value
  Ref descr_;                       // NumPy's dtype
  PyTypeObject* scalar_type_;       // of a 0-d input: the NumPy scalar that fits
};

}  // namespace arignote
