// A compiler for tests: the host's, which makes a library that runs on the emulation. It can be
// told to fail, or not to be there.
#include <dlfcn.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "backend/compiler.hpp"
#include "backend/device.hpp"
#include "backend/embedded.hpp"
#include "backend/library.hpp"
#include "backend/nvrtc.hpp"
#include "device/emulation.hpp"

namespace py = pybind11;
namespace fs = std::filesystem;

namespace arignote::device {
namespace {

constexpr int kErrorImage = 200;  // cudaErrorInvalidKernelImage

// The library of the emulation, with which compiled ones are linked.
std::string own_library() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&emulation::now), &info);
  return info.dli_fname;
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A directory of its own.
class Scratch {
 public:
  Scratch() {
    std::string name = fs::temp_directory_path() / "arignote-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Keeps what it was given.
class FakeCompiler : public Compiler {
 public:
  int version() const override { return 13000; }
  bool compile(const std::string& source, int, std::string& image,
               std::string& log) const override {
    sources.push_back(source);
    return make(source, image, log);
  }
  mutable std::vector<std::string> sources;

 private:
  virtual bool make(const std::string& source, std::string& image, std::string& log) const = 0;
};

// Its images are libraries, as the bytes of their files.
class HostCompiler final : public FakeCompiler {
  bool make(const std::string& source, std::string& image, std::string& log) const override {
    const Scratch scratch;
    const fs::path& folder = scratch.path();
    for (const EmbeddedHeader& header : embedded_headers()) {
      write(folder / header.name, header.text);
    }
    write(folder / "program.cpp", source + kCall);
    // A sanitizer that was loaded first is not for the compiler.
    const std::string command = "env -u LD_PRELOAD " ARN_HOST_COMPILER
                                " -std=c++20 -O1 -ffp-contract=off -shared -fPIC -I" +
                                folder.string() + " -I" ARN_HOST_INCLUDES " " +
                                (folder / "program.cpp").string() + " " + own_library() + " -o " +
                                (folder / "program.so").string() + " 2>" +
                                (folder / "log").string();
    const bool is_compiled = std::system(command.c_str()) == 0;
    log = read(folder / "log");
    if (is_compiled) image = read(folder / "program.so");
    return is_compiled;
  }

  // A kernel takes its arguments as the driver hands them over.
  static constexpr const char* kCall =
      "extern \"C\" void bind_kernel(void** arguments, std::function<void()>& thread) {\n"
      "  using namespace arignote::device;\n"
      "  thread = emulation::bound(elementwise_program, arguments);\n"
      "}\n";
};

class BrokenCompiler final : public FakeCompiler {
  bool make(const std::string&, std::string&, std::string& log) const override {
    log = "this compiler is broken";
    return false;
  }
};

// What it makes, no driver loads.
class StrangeCompiler final : public FakeCompiler {
  bool make(const std::string&, std::string& image, std::string&) const override {
    image = "an image of something else";
    return true;
  }
};

std::unique_ptr<FakeCompiler>& in_use() {
  static auto& compiler = *new std::unique_ptr<FakeCompiler>;
  return compiler;
}

using Bind = void (*)(void** arguments, std::function<void()>& thread);

}  // namespace

const Compiler* compiler() { return in_use().get(); }

int load_kernel(const std::string& image, const char*, void** kernel) {
  const Scratch scratch;
  const fs::path path = scratch.path() / "program.so";
  write(path, image);
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return kErrorImage;
  *kernel = dlsym(library, "bind_kernel");
  return kNoError;
}

int launch_kernel(void* kernel, const Grid& grid, Stream stream, void** arguments) {
  std::function<void()> thread;
  reinterpret_cast<Bind>(kernel)(arguments, thread);
  return emulation::run({grid.blocks, grid.threads, grid.has_barriers, grid.shared_bytes}, thread,
                        stream);
}

// What tests may do with compilers.
void add_compiler_functions(py::module_& module);
void add_compiler_functions(py::module_& module) {
  // What has been compiled is forgotten.
  module.def(
      "set_compiler",
      [](const std::string& name) {
        in_use().reset();
        if (name == "host") in_use() = std::make_unique<HostCompiler>();
        if (name == "broken") in_use() = std::make_unique<BrokenCompiler>();
        if (name == "strange") in_use() = std::make_unique<StrangeCompiler>();
        for (const int number : {0, 1}) {
          Refusal refusal;
          Device* const device = Device::open(number, refusal);
          if (device != nullptr) device->compiled().forget();
        }
      },
      py::arg("name"), "\"host\", \"broken\", \"strange\" or \"none\".");
  module.def("sources", [] { return in_use()->sources; });
  // By NVRTC itself: how many bytes of code, and what it says. None where it is not.
  module.def(
      "compile_for",
      [](const std::string& library, const std::string& source, int capability) -> py::object {
        const auto nvrtc = Nvrtc::open(open_library(library.c_str(), false));
        if (nvrtc == nullptr) return py::none();
        std::string image, log;
        nvrtc->compile(source, capability, image, log);
        return py::make_tuple(image.size(), log);
      },
      py::arg("library"), py::arg("source"), py::arg("capability"));
}

}  // namespace arignote::device
