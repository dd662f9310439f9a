#include "backend/copy.hpp"

#include <cstdint>

#include "kernels/strided.hpp"

namespace arignote::device {

namespace {

constexpr std::size_t kMostPiece = 16;

// What has no gaps is copied in the largest pieces that there are whole ones of. Returns the bytes
// of one.
std::size_t widened(CopyArgs& args, std::size_t item) {
  const auto own = static_cast<std::int64_t>(item);
  if (args.ndim != 1 || args.to_strides[0] != own || args.from_strides[0] != own) return item;
  const std::int64_t bytes = args.count * own;
  const auto bits = reinterpret_cast<std::uintptr_t>(args.to) |
                    reinterpret_cast<std::uintptr_t>(args.from) |
                    static_cast<std::uintptr_t>(bytes);
  std::size_t piece = kMostPiece;
  while (bits % piece != 0) piece /= 2;
  args.count = args.shape[0] = bytes / static_cast<std::int64_t>(piece);
  args.to_strides[0] = args.from_strides[0] = static_cast<std::int64_t>(piece);
  return piece;
}

}  // namespace

bool Copy::plan(const Layout& to, const Layout& from) {
  if (to.ndim != from.ndim) return false;
  Axes<2> axes;
  for (int axis = 0; axis < to.ndim; ++axis) {
    const bool is_repeated = from.shape[axis] == 1;
    if (!is_repeated && from.shape[axis] != to.shape[axis]) return false;
    axes.add(to.shape[axis], {to.strides[axis], is_repeated ? 0 : from.strides[axis]});
  }
  axes.join();
  dtype_ = to.dtype;
  args_.count = to.size();
  args_.ndim = axes.ndim;
  for (int axis = 0; axis < axes.ndim; ++axis) {
    args_.shape[axis] = axes.shape[axis];
    args_.to_strides[axis] = axes.strides[axis][0];
    args_.from_strides[axis] = axes.strides[axis][1];
  }
  return true;
}

CopyArgs Copy::at(std::byte* to, const std::byte* from, const DeviceSession& session) const {
  CopyArgs args = args_;
  args.to = to;
  args.from = from;
  args.fault = session.fault();
  return args;
}

// Also one without gaps is a kernel's: that knows when an earlier step has failed.
Status Copy::run(std::byte* to, const std::byte* from, DeviceSession& session) const {
  CopyArgs args = at(to, from, session);
  if (adds_) return status_of(launch_add(args, dtype_, session.stream()));
  const std::size_t item = widened(args, size_of(dtype_));
  return status_of(launch_copy(args, item, session.stream()));
}

}  // namespace arignote::device
