#include "backend/copy.hpp"

#include "kernels/strided.hpp"

namespace arignote::device {

bool Copy::plan(const Layout& to, const Layout& from) {
  if (!same_shape(to, from)) return false;
  Axes<2> axes;
  for (int axis = 0; axis < to.ndim; ++axis) {
    axes.add(to.shape[axis], {to.strides[axis], from.strides[axis]});
  }
  axes.join();
  item_ = size_of(to.dtype);
  args_.count = to.size();
  args_.ndim = axes.ndim;
  for (int axis = 0; axis < axes.ndim; ++axis) {
    args_.shape[axis] = axes.shape[axis];
    args_.to_strides[axis] = axes.strides[axis][0];
    args_.from_strides[axis] = axes.strides[axis][1];
  }
  return true;
}

// Also one without gaps is a kernel's: that knows when an earlier step has failed.
Status Copy::run(std::byte* to, const std::byte* from, DeviceSession& session) const {
  CopyArgs args = args_;
  args.to = to;
  args.from = from;
  args.fault = session.fault();
  return status_of(launch_copy(args, item_, session.stream()));
}

}  // namespace arignote::device
