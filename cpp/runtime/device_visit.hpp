// The calling thread's own device, which is none of ours.
#pragma once

#include "runtime/backend.hpp"

namespace arignote {

// As long as one of these lives the thread may work on the backend's device; then its device is
// again what it was. Nothing without a backend.
class DeviceVisit {
 public:
  explicit DeviceVisit(Backend* backend) noexcept
      : backend_(backend), before_(backend == nullptr ? 0 : backend->visit()) {}
  ~DeviceVisit() {
    if (backend_ != nullptr) backend_->leave(before_);
  }
  DeviceVisit(const DeviceVisit&) = delete;
  DeviceVisit& operator=(const DeviceVisit&) = delete;

 private:
  Backend* backend_;
  int before_;
};

}  // namespace arignote
