// The libraries of the machine.
#include <dlfcn.h>

#include "backend/library.hpp"

namespace arignote::device {

void* open_library(const char* path, bool must_be_loaded) {
  return dlopen(path, RTLD_NOW | RTLD_LOCAL | (must_be_loaded ? RTLD_NOLOAD : 0));
}

void* find_function(void* library, const char* name) { return dlsym(library, name); }

}  // namespace arignote::device
