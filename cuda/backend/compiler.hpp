// Kernels that are compiled while the program runs. Tests put another compiler, and what loads its
// kernels, in place.
#pragma once

#include <string>
#include <vector>

#include "device/language.cuh"

namespace arignote::device {

class Compiler {
 public:
  virtual ~Compiler() = default;

  // As 1000 * major + 10 * minor.
  virtual int version() const = 0;
  // Makes of a source what can be loaded on a device of that capability, 75 for 7.5. False, with
  // what the compiler says, if it cannot.
  virtual bool compile(const std::string& source, int capability, std::string& image,
                       std::string& log) const = 0;
};

// The one to use; null where there is none.
const Compiler* compiler();

// These return a cudaError_t. A kernel is loaded for the present device, and for ever.
int load_kernel(const std::string& image, const char* name, void** kernel);
int launch_kernel(void* kernel, const Grid& grid, Stream stream, void** arguments);

}  // namespace arignote::device
