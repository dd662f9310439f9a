// Libraries that are opened at run time, where they are there: nothing is linked against them.
#pragma once

#include <string>
#include <vector>

namespace arignote::device {

// Where to look beside where the system does.
void set_library_folders(std::vector<std::string> folders);

// The library of that name: the one that the process has loaded, else the first one in the folders,
// else the system's. It stays open. Null if there is none.
void* find_library(const std::string& name);

// These two are the system's; tests put others in place.
void* open_library(const char* path, bool must_be_loaded);
void* find_function(void* library, const char* name);

}  // namespace arignote::device
