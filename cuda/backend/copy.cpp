#include "backend/copy.hpp"

#include "kernels/strided.hpp"

namespace arignote::device {

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
  const CopyArgs args = at(to, from, session);
  return status_of(adds_ ? launch_add(args, dtype_, session.stream())
                         : launch_copy(args, size_of(dtype_), session.stream()));
}

}  // namespace arignote::device
