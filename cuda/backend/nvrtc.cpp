#include "backend/nvrtc.hpp"

#include <dlfcn.h>

#include <array>
#include <string_view>
#include <vector>

#include "backend/embedded.hpp"
#include "backend/library.hpp"

namespace arignote::device {
namespace {

constexpr int kSuccess = 0;

// Headers of the standard library, for all of which the compiler is given one of ours.
constexpr std::array kStandardHeaders = {"cmath",   "cstddef", "cstdint",
                                         "cstring", "limits",  "type_traits"};
constexpr std::string_view kOurLibrary = "device/library.cuh";

struct Headers {
  std::vector<const char*> names;
  std::vector<const char*> texts;

  Headers() {
    for (const EmbeddedHeader& header : embedded_headers()) {
      if (header.name == kOurLibrary) {
        for (const char* const name : kStandardHeaders) add(name, header.text);
      } else {
        add(header.name, header.text);
      }
    }
  }
  void add(const char* name, const char* text) {
    names.push_back(name);
    texts.push_back(text);
  }
};

// What the library says, or has made, by the two functions that tell the size of it and it.
template <class Size, class Get>
std::string text_of(void* program, Size size, Get get) {
  std::size_t bytes = 0;
  if (size(program, &bytes) != kSuccess) return {};
  std::string text(bytes, '\0');
  return get(program, text.data()) == kSuccess ? text : std::string();
}

// The compiler asks for its other half by name alone. Some versions of it do not look beside
// themselves, where packages have it: it is opened from there first, if it is there.
void open_builtins(const void* compiler, int major, int minor) {
  Dl_info info;
  if (dladdr(compiler, &info) == 0 || info.dli_fname == nullptr) return;
  const std::string path = info.dli_fname;
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const std::string version = std::to_string(major) + "." + std::to_string(minor);
  open_library((folder + "libnvrtc-builtins.so." + version).c_str(), false);
}

}  // namespace

std::unique_ptr<Nvrtc> Nvrtc::open(void* library) {
  if (library == nullptr) return nullptr;
  Functions f{};
  int major = 0;
  int minor = 0;
  const bool has_all = resolve(library, "nvrtcVersion", f.version) &&
                       resolve(library, "nvrtcCreateProgram", f.create) &&
                       resolve(library, "nvrtcDestroyProgram", f.destroy) &&
                       resolve(library, "nvrtcCompileProgram", f.compile) &&
                       resolve(library, "nvrtcGetProgramLogSize", f.log_size) &&
                       resolve(library, "nvrtcGetProgramLog", f.log) &&
                       resolve(library, "nvrtcGetCUBINSize", f.image_size) &&
                       resolve(library, "nvrtcGetCUBIN", f.image);
  if (!has_all || f.version(&major, &minor) != kSuccess) return nullptr;
  open_builtins(reinterpret_cast<const void*>(f.version), major, minor);
  std::unique_ptr<Nvrtc> opened(new Nvrtc(f));
  opened->version_ = 1000 * major + 10 * minor;
  return opened;
}

bool Nvrtc::compile(const std::string& source, int capability, std::string& image,
                    std::string& log) const {
  static const Headers headers;
  void* program = nullptr;
  if (functions_.create(&program, source.c_str(), "program.cu",
                        static_cast<int>(headers.names.size()), headers.texts.data(),
                        headers.names.data()) != kSuccess) {
    log = "NVRTC does not take the source";
    return false;
  }
  // Code for the very device: the driver may be older than the compiler. Contraction is off as in
  // toolkit.cmake, so that the interpreter computes the same.
  const std::string architecture = "--gpu-architecture=sm_" + std::to_string(capability);
  const std::array options = {architecture.c_str(), "--std=c++20", "--fmad=false",
                              "--device-as-default-execution-space"};
  const bool is_compiled =
      functions_.compile(program, static_cast<int>(options.size()), options.data()) == kSuccess;
  log = text_of(program, functions_.log_size, functions_.log).c_str();  // up to the zero behind it
  if (is_compiled) image = text_of(program, functions_.image_size, functions_.image);
  static_cast<void>(functions_.destroy(&program));
  return !image.empty();
}

}  // namespace arignote::device
