// A strided copy on the device, laid out once for many runs.
#pragma once

#include "backend/session.hpp"
#include "kernels/copy.hpp"

namespace arignote::device {

class Copy {
 public:
  // What is copied is added, if `adds`: then of real numbers or bool.
  explicit Copy(bool adds = false) : adds_(adds) {}

  // Axes of length one in `from` are repeated. False if the shapes do not fit.
  bool plan(const Layout& to, const Layout& from);
  CopyArgs at(std::byte* to, const std::byte* from, const DeviceSession& session) const;
  Status run(std::byte* to, const std::byte* from, DeviceSession& session) const;

 private:
  bool adds_;
  DType dtype_ = DType::kFloat64;
  CopyArgs args_{};
};

}  // namespace arignote::device
