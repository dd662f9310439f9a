#include "backend/library.hpp"

#include <mutex>
#include <utility>

namespace arignote::device {
namespace {

struct Folders {
  std::mutex mutex;
  std::vector<std::string> names;
};

Folders& folders() {
  static auto& all = *new Folders;
  return all;
}

}  // namespace

void set_library_folders(std::vector<std::string> names) {
  const std::scoped_lock lock(folders().mutex);
  folders().names = std::move(names);
}

void* find_library(const std::string& name) {
  if (void* const loaded = open_library(name.c_str(), true); loaded != nullptr) return loaded;
  const std::scoped_lock lock(folders().mutex);
  for (const std::string& folder : folders().names) {
    if (void* const found = open_library((folder + "/" + name).c_str(), false); found != nullptr) {
      return found;
    }
  }
  return open_library(name.c_str(), false);
}

}  // namespace arignote::device
