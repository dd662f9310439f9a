// Libraries that are opened at run time, where they are there: nothing is linked against them.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace arignote::device {

// Where to look beside where the system does.
void set_library_folders(std::vector<std::string> folders);

// The library of that name: the one that the process has loaded, else the first one in the folders,
// else the system's. It stays open. Null if there is none.
void* find_library(const std::string& name);

// Has `take` look at NAME.so.MAJOR of one major version of CUDA after the other, until it says that
// this is what is wanted: from the newest that the driver runs, or `newest`, down to the first of
// which anything is used here. Whether it has said so.
bool find_newest(const std::string& name, int newest, const std::function<bool(void*)>& take);

// These two are the system's; tests put others in place.
void* open_library(const char* path, bool must_be_loaded);
void* find_function(void* library, const char* name);

// Sets a pointer to the function of that name. Whether there is one.
template <class Function>
bool resolve(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find_function(library, name));
  return function != nullptr;
}

}  // namespace arignote::device
