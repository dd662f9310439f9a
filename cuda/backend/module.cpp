// The Python module: opens devices, and hands each over in a capsule.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/api.hpp"
#include "backend/blas_lt.hpp"
#include "backend/compiler.hpp"
#include "backend/device.hpp"
#include "backend/library.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"
#include "runtime/device_memory.hpp"
#include "runtime/device_visit.hpp"

namespace py = pybind11;

namespace arignote::device {

// What only the module of the tests has; nothing in the other.
void add_test_functions(py::module_& module);

namespace {

py::capsule open(int number) {
  Refusal refusal;
  Device* const device = Device::open(number, refusal);
  if (device == nullptr) {
    const py::tuple details = py::make_tuple(refusal.kind, refusal.text);
    PyErr_SetObject(PyExc_RuntimeError, details.ptr());
    throw py::error_already_set();
  }
  return py::capsule(static_cast<Backend*>(device), kBackendCapsule);
}

std::vector<std::string> kernels() {
  std::vector<std::string> names;
  for (const auto table : kernel_tables()) {
    for (const KernelEntry& entry : table) names.emplace_back(entry.name);
  }
  return names;
}

// Null, with why in words, where it is not used.
const BlasLt* find_blas(int number, std::string& why) {
  Refusal refusal;
  Device* const device = Device::open(number, refusal);
  why = refusal.text;
  if (device == nullptr) return nullptr;
  Status status;
  const DeviceVisit visit(device);
  const BlasLt* const blas = BlasLt::of(*device, status);
  if (status.ok()) {
    why = "not found";
  } else {
    why = status.code == Code::kOutOfMemory ? "there is no memory for it" : status.what;
  }
  return blas;
}

// Why the products of a device cannot be in TF32, of which find_blas has found this; nothing if
// they can.
std::optional<std::string> hindrance_to_tf32(int number, const BlasLt* blas,
                                             const std::string& why) {
  constexpr int kFirstMajor = 8;
  Properties properties{};
  if (api().properties(number, &properties) != kNoError) return "there is no such device";
  if (properties.major < kFirstMajor) return "its compute capability is less than 8.0";
  if (blas == nullptr) return "cuBLASLt is not used: " + why;
  return {};
}

py::dict info(int number) {
  Properties properties{};
  int driver = 0;
  int runtime = 0;
  if (api().properties(number, &properties) != kNoError) {
    throw py::value_error("[cuda] there is no device of number " + std::to_string(number));
  }
  static_cast<void>(api().driver_version(&driver));
  static_cast<void>(api().runtime_version(&runtime));
  py::dict found;
  found["name"] = properties.name;
  found["capability"] = py::make_tuple(properties.major, properties.minor);
  found["memory"] = properties.memory;
  found["driver"] = driver;
  found["runtime"] = runtime;
  found["nvrtc"] = compiler() == nullptr ? py::object(py::none()) : py::int_(compiler()->version());
  std::string why;
  const BlasLt* const blas = find_blas(number, why);
  found["cublaslt"] = blas != nullptr ? blas->version() : why;
  const std::optional<std::string> hindrance = hindrance_to_tf32(number, blas, why);
  found["tf32"] = hindrance ? "not there: " + *hindrance : "there, if config.allow_tf32 is set";
  return found;
}

// A device that is open; raises ValueError for another.
Device& device_of(int number) {
  Refusal refusal;
  Device* const device = Device::open(number, refusal);
  if (device == nullptr) throw py::value_error("[cuda] " + refusal.text);
  return *device;
}

std::pair<std::size_t, std::size_t> memory(int number, bool reset) {
  Memory& memory = device_of(number).memory();
  const Memory::Use use = memory.use();
  if (reset) memory.reset_most();
  return {use.now, use.most};
}

// Of the quickest of some copies, in seconds.
double time_copy(int number, std::size_t bytes) {
  constexpr int kCopies = 8;
  Device& device = device_of(number);
  DeviceMemory from(&device);
  DeviceMemory to(&device);
  std::unique_ptr<Session> session;
  demand(device.open(session));
  if (!from.reserve(bytes) || !to.reserve(bytes)) throw std::bad_alloc();
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kCopies; ++i) {
    int step = 0;
    const Clock::time_point begin = Clock::now();
    Status status = session->copy(from.data(), to.data(), bytes);
    if (status.ok()) status = session->synchronise(step);
    demand(status);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

py::tuple compiled(int number) {
  const CompiledKernels::Report report = device_of(number).compiled().report();
  return py::make_tuple(report.count - static_cast<int>(report.refused.size()), report.refused);
}

}  // namespace

PYBIND11_MODULE(ARN_CUDA_MODULE, module) {
  module.doc() = "The CUDA backend of arignote.";
  module.def("open", &open, py::arg("number"),
             "Return a device in a capsule; raises RuntimeError(kind, text) where it cannot.");
  module.def("kernels", &kernels, "Return the names of the kernels that the device has.");
  module.def("set_library_folders", &set_library_folders, py::arg("folders"),
             "Set where to look for NVIDIA's libraries beside where the system does.");
  module.def(
      "hindrance_to_tf32",
      [](int number) {
        std::string why;
        const BlasLt* const blas = find_blas(number, why);
        return hindrance_to_tf32(number, blas, why);
      },
      py::arg("number"), "Return why a device has no products in TF32, None if it has.");
  module.def("info", &info, py::arg("number"), "Return what the driver says of a device.");
  module.def(
      "memory", &memory, py::arg("number"), py::arg("reset") = false,
      "Return the bytes that a device's arrays take now, and the most since the last reset.");
  module.def(
      "set_block_bytes", [](std::int64_t bytes) { most_block_bytes = bytes; }, py::arg("bytes"),
      "Set what the temporaries of a block of rows may take, for functions that meet new shapes.");
  module.def("time_copy", &time_copy, py::arg("number"), py::arg("bytes"),
             "Return the seconds that a device takes to copy so many bytes of its memory.");
  module.def("compiled", &compiled, py::arg("number"),
             "Return how many programs have been compiled for a device, and why others were not.");
  add_test_functions(module);
}

}  // namespace arignote::device
