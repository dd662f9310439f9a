#include "backend/library.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "backend/api.hpp"

namespace arignote::device {
namespace {

constexpr int kFirstMajor = 12;

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

bool find_newest(const std::string& name, int newest, const std::function<bool(void*)>& take) {
  int driver = 0;
  static_cast<void>(api().driver_version(&driver));
  for (int major = std::min(newest, driver / 1000); major >= kFirstMajor; --major) {
    void* const library = find_library(name + ".so." + std::to_string(major));
    if (library != nullptr && take(library)) return true;
  }
  return false;
}

}  // namespace arignote::device
