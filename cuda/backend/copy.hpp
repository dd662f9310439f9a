// A strided copy on the device, laid out once for many runs.
#pragma once

#include "backend/session.hpp"
#include "kernels/copy.hpp"

namespace arignote::device {

class Copy {
 public:
  // False if the shapes differ.
  bool plan(const Layout& to, const Layout& from);
  Status run(std::byte* to, const std::byte* from, DeviceSession& session) const;

 private:
  CopyArgs args_{};
  std::size_t item_ = 0;
};

}  // namespace arignote::device
