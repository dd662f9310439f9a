// Index arrays of a step, laid out once for many runs.
#pragma once

#include <span>

#include "backend/session.hpp"
#include "kernels/indices.hpp"

namespace arignote::device {

class Indices {
 public:
  // The j-th array runs over axis j of `array`; each position adds so many bytes by itself. False
  // if they have not one shape.
  bool plan(std::span<const Layout> indices, const Layout& array, std::int64_t position_step = 0);
  // A position in each of the first rows of a matrix. False if it has too few of them.
  bool plan_rows(const Layout& y, const Layout& matrix);
  IndexArgs at(std::span<std::byte* const> data) const;
  // Queues what leaves a fault where an index is out of range.
  static Status check(const IndexArgs& args, DeviceSession& session);

 private:
  IndexArgs args_{};
};

}  // namespace arignote::device
