// NVIDIA's compiler as a library. It is opened where there is one: nothing links against it.
#pragma once

#include <memory>
#include <string>

#include "backend/compiler.hpp"

namespace arignote::device {

class Nvrtc final : public Compiler {
 public:
  // Of a library that stays open: its compiler may still be wanted by a thread when the process
  // ends. Null if there is none, or if it has not what is needed.
  static std::unique_ptr<Nvrtc> open(void* library);

  int version() const override { return version_; }
  bool compile(const std::string& source, int capability, std::string& image,
               std::string& log) const override;

 private:
  // What is used of nvrtc.h. A program is an opaque pointer; a result is 0 for success.
  struct Functions {
    int (*version)(int* major, int* minor);
    int (*create)(void** program, const char* source, const char* name, int n_headers,
                  const char* const* headers, const char* const* header_names);
    int (*destroy)(void** program);
    int (*compile)(void* program, int n_options, const char* const* options);
    int (*log_size)(void* program, std::size_t* bytes);
    int (*log)(void* program, char* log);
    int (*image_size)(void* program, std::size_t* bytes);
    int (*image)(void* program, char* image);
  };

  explicit Nvrtc(const Functions& functions) : functions_(functions) {}

  Functions functions_;
  int version_ = 0;
};

}  // namespace arignote::device
