#include "backend/device.hpp"

#include <map>
#include <mutex>

#include "backend/row_block.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"
#include "runtime/device_visit.hpp"

namespace arignote::device {
namespace {

// The first of the architectures in toolkit.cmake.
constexpr int kLeastCapability = 75;

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Refusal refusal_of(int number) {
  int driver = 0;
  int runtime = 0;
  int count = 0;
  static_cast<void>(api().driver_version(&driver));
  static_cast<void>(api().runtime_version(&runtime));
  const int error = api().count_devices(&count);
  if (driver == 0) return {"driver", "this machine has no NVIDIA driver"};
  if (error == kErrorOldDriver) {
    return {"old driver", "the driver is for CUDA " + version_text(driver) +
                              ", older than the CUDA " + version_text(runtime) +
                              " that this build of arignote is for"};
  }
  if (error == kErrorNoDevice || (error == kNoError && count == 0)) {
    return {"device", "the driver finds no device"};
  }
  if (error != kNoError) {
    return {"device", std::string("the driver fails: ") + api().error_text(error)};
  }
  if (number < 0 || number >= count) {
    return {"number", "there are " + std::to_string(count) +
                          " devices, numbered from 0: " + std::to_string(number)};
  }
  Properties properties{};
  if (const int failure = api().properties(number, &properties); failure != kNoError) {
    return {"device", std::string("the driver fails: ") + api().error_text(failure)};
  }
  if (10 * properties.major + properties.minor < kLeastCapability) {
    return {"device", std::string(properties.name) + " has compute capability " +
                          std::to_string(properties.major) + "." +
                          std::to_string(properties.minor) + ", and 7.5 is the least"};
  }
  return {};
}

}  // namespace

Device* Device::open(int number, Refusal& refusal) {
  static std::mutex mutex;
  static auto& devices = *new std::map<int, std::unique_ptr<Device>>;
  const std::scoped_lock lock(mutex);
  if (const auto found = devices.find(number); found != devices.end()) return found->second.get();
  refusal = refusal_of(number);
  if (refusal.kind != nullptr) return nullptr;
  std::unique_ptr<Device> device(new Device(number));
  return (devices[number] = std::move(device)).get();
}

const KernelEntry* Device::find(std::string_view kernel) const noexcept {
  return find_kernel(kernel);
}

std::unique_ptr<Kernel> Device::row_block(const StepSpec& step, const Program& body) noexcept {
  try {
    return make_row_block(step, body, *this);
  } catch (...) {
    return nullptr;
  }
}

int Device::visit() noexcept {
  int before = number_;
  static_cast<void>(api().current_device(&before));
  enter();
  return before;
}

std::byte* Device::allocate(std::size_t bytes) noexcept {
  const DeviceVisit visit(this);
  try {
    return memory_.allocate(bytes);
  } catch (...) {
    return nullptr;
  }
}

// Keeping it may take memory of the host's, of which there is none: then it stays lost.
void Device::release(std::byte* memory) noexcept {
  const DeviceVisit visit(this);
  try {
    memory_.release(memory);
  } catch (...) {
  }
}

Status Device::open(std::unique_ptr<Session>& session) noexcept {
  return DeviceSession::open(*this, session);
}

}  // namespace arignote::device
