// cuBLASLt on a device, if the library is there.
#pragma once

#include <string>

#include "backend/blas_lt_api.hpp"
#include "core/status.hpp"

namespace arignote::device {

class Device;

class BlasLt {
 public:
  // Of a device: the library is looked for until it has been found, and is that device's from then
  // on. Null, with a status that is ok, where there is none that the driver is new enough for.
  static const BlasLt* of(const Device& device, Status& status);

  const blas_lt::Api& api() const { return api_; }
  void* handle() const { return handle_; }
  // Such as 13.1.0.
  std::string version() const;
  // What a call has come to.
  Status status_of(int result) const;

 private:
  bool find();

  blas_lt::Api api_{};
  void* handle_ = nullptr;
};

}  // namespace arignote::device
