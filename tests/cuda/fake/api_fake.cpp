// A driver for tests: device memory is memory of the host's, watched over, and what is queued runs
// at once. But pinned memory is filled no sooner than the stream is synchronised, and must not
// change until then where it was read. Any call can be told to fail.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/api.hpp"
#include "backend/device.hpp"
#include "backend/row_block_plan.hpp"
#include "device/emulation.hpp"
#include "driver.hpp"

namespace py = pybind11;

namespace arignote::device {
namespace {

constexpr int kErrorValue = 1;
constexpr int kErrorHandle = 400;
constexpr int kErrorIllegalAddress = 700;
constexpr int kErrorNotCaptured = 900;  // what a graph cannot keep, or must not come meanwhile
constexpr int kErrorStaging = 999;

// More memory than this is not filled when it is handed out: the host has of it only what is used.
constexpr std::size_t kMostFilled = std::size_t{1} << 28;
// What is copied at each end of that much memory while only the ends of launches run.
constexpr std::size_t kEnd = std::size_t{1} << 20;

class Driver {
 public:
  static Driver& get() {
    static auto& driver = *new Driver;
    return driver;
  }

  int count = 2;
  int driver_version = 13000;
  int capability = 90;
  std::size_t limit = std::size_t{1} << 32;
  int shared_bytes = 99 << 10;
  std::string failing;  // the name of a call
  int failing_in = -1;  // how many of its calls are left until then
  int failing_with = kErrorIllegalAddress;
  bool stays_broken = false;
  std::int64_t failing_launch = -1;  // its kernel fails, of which the next synchronisation tells
  std::map<std::string, std::int64_t> calls;

  // Returns the error with which a call is to fail.
  int enter(const char* call) {
    ++calls[call];
    const bool has_failed = failing_launch >= 0 && emulation::launches() > failing_launch;
    is_broken_ = is_broken_ || (has_failed && std::string_view(call) == "synchronise");
    if (is_broken_) return failing_with;
    if (failing != call || failing_in < 0 || failing_in-- > 0) return kNoError;
    is_broken_ = stays_broken;
    return failing_with;
  }
  void mend() {
    is_broken_ = stays_broken = false;
    failing.clear();
    failing_in = -1;
    failing_launch = -1;
  }

  int allocate(void** memory, std::size_t bytes) {
    if (is_recording()) return kErrorNotCaptured;
    if (used_ + bytes > limit) return kErrorMemory;
    auto block = std::make_unique_for_overwrite<std::byte[]>(bytes);
    std::byte* const first = block.get();
    if (bytes <= kMostFilled) std::memset(first, 0xA5, bytes);
    *memory = first;
    used_ += bytes;
    blocks_[first] = {std::move(block), bytes};
    return kNoError;
  }
  int release(void* memory) {
    if (is_recording()) return kErrorNotCaptured;
    const auto found = blocks_.find(static_cast<std::byte*>(memory));
    if (found == blocks_.end()) return kErrorValue;
    used_ -= found->second.bytes;
    blocks_.erase(found);
    return kNoError;
  }
  // Whether the bytes lie inside one block of the device's.
  bool holds(const void* memory, std::size_t bytes) const { return within(blocks_, memory, bytes); }
  bool is_pinned(const void* memory, std::size_t bytes) const {
    return within(pinned_, memory, bytes);
  }
  int copy(void* to, const void* from, std::size_t bytes, CopyKind kind, const void* stream) {
    const bool reads = kind != CopyKind::kToDevice;
    const bool writes = kind != CopyKind::kToHost;
    if (holds(to, bytes) != writes || holds(from, bytes) != reads) return kErrorValue;
    const auto* const source = static_cast<const std::byte*>(from);
    if (kind == CopyKind::kOnDevice && bytes > kMostFilled && emulation::get_ends() > 0) {
      std::memcpy(to, from, kEnd);
      std::memcpy(static_cast<std::byte*>(to) + bytes - kEnd, source + bytes - kEnd, kEnd);
      return kNoError;
    }
    if (kind == CopyKind::kToHost && is_pinned(to, bytes)) {
      late_[stream].push_back({static_cast<std::byte*>(to), nullptr, {source, source + bytes}});
      std::memset(to, 0xA5, bytes);
      return kNoError;
    }
    if (kind == CopyKind::kToDevice && is_pinned(from, bytes)) {
      late_[stream].push_back({nullptr, source, {source, source + bytes}});
    }
    std::memcpy(to, from, bytes);
    return kNoError;
  }
  // What copies from and to pinned memory come to. The error is for memory that has changed while
  // it was read.
  int finish(const void* stream) {
    const auto copies = std::move(late_[stream]);
    late_.erase(stream);
    int error = kNoError;
    for (const Late& copy : copies) {
      if (copy.to != nullptr) {
        std::memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
      } else if (std::memcmp(copy.from, copy.bytes.data(), copy.bytes.size()) != 0) {
        error = kErrorStaging;
      }
    }
    return error;
  }

  int allocate_host(void** memory, std::size_t bytes) {
    if (is_recording()) return kErrorNotCaptured;
    auto block = std::make_unique<std::byte[]>(bytes);
    std::byte* const first = block.get();
    *memory = first;
    pinned += bytes;
    pinned_[first] = {std::move(block), bytes};
    return kNoError;
  }
  int release_host(void* memory) {
    if (is_recording()) return kErrorNotCaptured;
    const auto found = pinned_.find(static_cast<std::byte*>(memory));
    if (found == pinned_.end()) return kErrorValue;
    pinned -= found->second.bytes;
    pinned_.erase(found);
    return kNoError;
  }
  std::size_t used() const { return used_; }

  // A thread that keeps the work of a stream must not ask for memory meanwhile.
  void begin_recording(const void* stream) { recording_[stream] = std::this_thread::get_id(); }
  void end_recording(const void* stream) {
    const std::scoped_lock lock(mutex);
    recording_.erase(stream);
  }

  int streams = 0;
  int graphs = 0;
  std::size_t pinned = 0;
  std::recursive_mutex mutex;

 private:
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    std::size_t bytes;
  };
  using Blocks = std::map<std::byte*, Block>;
  static bool within(const Blocks& blocks, const void* memory, std::size_t bytes) {
    const auto* const first = static_cast<const std::byte*>(memory);
    auto found = blocks.upper_bound(const_cast<std::byte*>(first));
    if (found == blocks.begin()) return false;
    --found;
    return first + bytes <= found->first + found->second.bytes;
  }
  bool is_recording() const {
    return std::ranges::any_of(
        recording_, [](const auto& each) { return each.second == std::this_thread::get_id(); });
  }
  // What is to come to `to`, or is to be read at `from`.
  struct Late {
    std::byte* to;
    const std::byte* from;
    std::vector<std::byte> bytes;
  };

  Blocks blocks_;
  Blocks pinned_;
  std::map<const void*, std::vector<Late>> late_;  // by stream
  std::map<const void*, std::thread::id> recording_;       // by stream
  std::size_t used_ = 0;
  bool is_broken_ = false;
};

// Of each thread.
thread_local int current_device = 0;

// Calls work(driver) as a call of that name.
template <class Work>
int as_call(const char* name, Work&& work) {
  Driver& driver = Driver::get();
  const std::scoped_lock lock(driver.mutex);
  const int error = driver.enter(name);
  return error != kNoError ? error : work(driver);
}

const char* text_of(int error) {
  switch (error) {
    case kErrorValue: return "invalid argument";
    case kErrorMemory: return "out of memory";
    case kErrorHandle: return "invalid resource handle";
    case kErrorIllegalAddress: return "an illegal memory access was encountered";
    case kErrorStaging: return "pinned memory has changed while it was copied";
    default: return "unknown error";
  }
}

const char* name_of_error(int error) {
  return error == kErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaErrorUnknown";
}

}  // namespace

int enter_call(const char* name) {
  return as_call(name, [](Driver&) { return kNoError; });
}

bool is_on_device(const void* memory, std::size_t bytes) {
  const std::scoped_lock lock(Driver::get().mutex);
  return Driver::get().holds(memory, bytes);
}

const Api& api() {
  static const Api table{
      .count_devices =
          [](int* count) {
            return as_call("count_devices", [&](Driver& driver) {
              *count = driver.count;
              return driver.count > 0 ? kNoError : kErrorNoDevice;
            });
          },
      .current_device =
          [](int* number) {
            return as_call("current_device", [&](Driver&) {
              *number = current_device;
              return kNoError;
            });
          },
      .use_device =
          [](int number) {
            return as_call("use_device", [&](Driver& driver) {
              if (number >= driver.count) return kErrorNumber;
              current_device = number;
              return kNoError;
            });
          },
      .properties =
          [](int number, Properties* properties) {
            return as_call("properties", [&](Driver& driver) {
              if (number < 0 || number >= driver.count) return kErrorNumber;
              *properties = {"emulated", driver.capability / 10, driver.capability % 10,
                             driver.limit};
              return kNoError;
            });
          },
      .shared_bytes =
          [](int number, int* bytes) {
            return as_call("shared_bytes", [&](Driver& driver) {
              *bytes = driver.shared_bytes;
              return number < driver.count ? kNoError : kErrorNumber;
            });
          },
      .driver_version =
          [](int* version) {
            return as_call("driver_version", [&](Driver& driver) {
              *version = driver.driver_version;
              return kNoError;
            });
          },
      .runtime_version =
          [](int* version) {
            return as_call("runtime_version", [&](Driver&) {
              *version = 13000;
              return kNoError;
            });
          },
      .allocate =
          [](void** memory, std::size_t bytes) {
            return as_call("allocate",
                           [&](Driver& driver) { return driver.allocate(memory, bytes); });
          },
      .release =
          [](void* memory) {
            return as_call("release", [&](Driver& driver) { return driver.release(memory); });
          },
      .allocate_host =
          [](void** memory, std::size_t bytes) {
            return as_call("allocate_host",
                           [&](Driver& driver) { return driver.allocate_host(memory, bytes); });
          },
      .release_host =
          [](void* memory) {
            return as_call("release_host",
                           [&](Driver& driver) { return driver.release_host(memory); });
          },
      .create_stream =
          [](void** stream) {
            return as_call("create_stream", [&](Driver& driver) {
              ++driver.streams;
              *stream = new char;
              return kNoError;
            });
          },
      .destroy_stream =
          [](void* stream) {
            return as_call("destroy_stream", [&](Driver& driver) {
              --driver.streams;
              static_cast<void>(driver.finish(stream));
              delete static_cast<char*>(stream);
              return kNoError;
            });
          },
      .synchronise =
          [](void* stream) {
            return as_call("synchronise", [&](Driver& driver) {
              if (stream == nullptr) return kErrorHandle;
              return emulation::keeps(stream) ? kErrorNotCaptured : driver.finish(stream);
            });
          },
      .copy =
          [](void* to, const void* from, std::size_t bytes, CopyKind kind, void* stream) {
            return as_call("copy", [&](Driver& driver) {
              if (stream == nullptr) return kErrorHandle;
              if (!emulation::keeps(stream)) return driver.copy(to, from, bytes, kind, stream);
              if (kind != CopyKind::kOnDevice) return kErrorNotCaptured;
              emulation::append(
                  stream, [=, &driver] { return driver.copy(to, from, bytes, kind, stream); });
              return kNoError;
            });
          },
      .begin_capture =
          [](void* stream) {
            return as_call("begin_capture", [&](Driver& driver) {
              if (emulation::keeps(stream)) return kErrorValue;
              emulation::keep(stream);
              driver.begin_recording(stream);
              return kNoError;
            });
          },
      .end_capture =
          [](void* stream, void** graph) {
            // It ends, also if it fails.
            auto work = std::make_unique<emulation::Work>(emulation::stop_keeping(stream));
            Driver::get().end_recording(stream);
            return as_call("end_capture", [&](Driver& driver) {
              ++driver.graphs;
              *graph = work.release();
              return kNoError;
            });
          },
      .launch_graph =
          [](void* graph, void* stream) {
            return as_call("launch_graph", [&](Driver&) {
              if (stream == nullptr || emulation::keeps(stream)) return kErrorHandle;
              for (const auto& part : *static_cast<const emulation::Work*>(graph)) {
                if (const int error = part(); error != kNoError) return error;
              }
              return kNoError;
            });
          },
      .release_graph =
          [](void* graph) {
            return as_call("release_graph", [&](Driver& driver) {
              --driver.graphs;
              delete static_cast<emulation::Work*>(graph);
              return kNoError;
            });
          },
      .error_name = name_of_error,
      .error_text = text_of,
  };
  return table;
}

// See the files of these names.
void add_emulation_kernels(py::module_& module);
void add_blas_lt(py::module_& module);
void add_compiler_functions(py::module_& module);

// What tests may do with the driver.
void add_test_functions(py::module_& module);
void add_test_functions(py::module_& module) {
  module.def(
      "set_devices",
      [](int count, int driver_version, int capability) {
        Driver::get().count = count;
        Driver::get().driver_version = driver_version;
        Driver::get().capability = capability;
      },
      py::arg("count"), py::arg("driver_version"), py::arg("capability") = 90);
  module.def("current_device", [] { return current_device; });
  module.def("use_device", [](int number) { api().use_device(number); });
  module.def("set_limit", [](std::size_t bytes) { Driver::get().limit = bytes; });
  module.def("set_shared_bytes", [](int bytes) { Driver::get().shared_bytes = bytes; });
  module.def("launches", &emulation::launches);
  module.def("unload_kernels", &emulation::unload);
  module.def(
      "let_fail",
      [](const std::string& call, int after, int error, bool for_ever) {
        Driver& driver = Driver::get();
        driver.mend();
        driver.failing = call;
        driver.failing_in = after;
        driver.failing_with = error;
        driver.stays_broken = for_ever;
      },
      py::arg("call"), py::arg("after") = 0, py::arg("error") = kErrorIllegalAddress,
      py::arg("for_ever") = false);
  // The kernel of the launch after so many, for ever.
  module.def(
      "let_kernel_fail",
      [](std::int64_t after) {
        Driver::get().mend();
        Driver::get().failing_with = kErrorIllegalAddress;
        Driver::get().failing_launch = emulation::launches() + after;
      },
      py::arg("after"));
  module.def("mend", [] { Driver::get().mend(); });
  module.def("used", [] { return Driver::get().used(); });
  module.def("pinned", [] { return Driver::get().pinned; });
  module.def("streams", [] { return Driver::get().streams; });
  module.def("graphs", [] { return Driver::get().graphs; });
  module.def("calls", [] { return Driver::get().calls; });
  module.def("trim", [](int number) {
    Refusal refusal;
    Device* const device = Device::open(number, refusal);
    return device == nullptr ? std::size_t{0} : device->memory().trim();
  });
  module.def("set_row_chunks", [](std::int64_t chunks) { most_row_chunks = chunks; });
  module.def("set_order", [](const std::string& order) {
    if (order == "forward") return emulation::set_order(emulation::Order::kForward);
    if (order == "backward") return emulation::set_order(emulation::Order::kBackward);
    if (order == "shuffled") return emulation::set_order(emulation::Order::kShuffled);
    throw py::value_error("[emulation] order must be forward, backward or shuffled: " + order);
  });
  module.def("set_ends", &emulation::set_ends);
  add_emulation_kernels(module);
  add_blas_lt(module);
  add_compiler_functions(module);
}

}  // namespace arignote::device
