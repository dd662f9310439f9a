#include "kernels/target.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "hwy/highway.h"

namespace arignote {
namespace {

std::string lower_cased_name(std::int64_t target) {
  std::string name = hwy::TargetName(target);
  for (char& letter : name) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return name;
}

// Computed while no target is forced: Highway leaves out all others as long as one is.
const std::vector<std::int64_t>& supported_targets() {
  static const std::vector<std::int64_t> targets = [] {
    hwy::SetSupportedTargetsForTest(0);
    return hwy::SupportedAndGeneratedTargets();
  }();
  return targets;
}

// The target in force. Asking Highway costs tens of microseconds in a virtual machine, and every
// look-up of a block operation asks.
std::atomic<std::int64_t> in_force{HWY_STATIC_TARGET};

// Zero restores the machine's own choice.
void force(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  const std::int64_t allowed = hwy::SupportedTargets();
  hwy::GetChosenTarget().Update(allowed);
  in_force = HWY_STATIC_TARGET;
  for (const std::int64_t candidate : supported_targets()) {
    if ((candidate & allowed) != 0) {
      in_force = candidate;
      break;
    }
  }
}

// Every dispatch in the library goes through Highway's switch, so it has to be set before the
// first one.
const bool kEnvironmentRead = [] {
  supported_targets();
  const char* name = std::getenv("ARIGNOTE_TARGET");
  return set_target(name == nullptr ? "" : name);
}();

}  // namespace

std::vector<std::string> available_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : supported_targets()) names.push_back(lower_cased_name(target));
  return names;
}

std::string current_target() { return lower_cased_name(in_force); }

bool set_target(std::string_view name) {
  if (name.empty()) {
    force(0);
    return true;
  }
  for (const std::int64_t target : supported_targets()) {
    if (lower_cased_name(target) == name) {
      force(target);
      return true;
    }
  }
  return false;
}

}  // namespace arignote
