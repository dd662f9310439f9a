#include "backend/indices.hpp"

#include <algorithm>

#include "kernels/strided.hpp"

namespace arignote::device {

bool Indices::plan(std::span<const Layout> indices, const Layout& array,
                   std::int64_t position_step) {
  if (indices.size() > static_cast<std::size_t>(array.ndim)) return false;
  const Layout& first = indices[0];
  args_.count = first.size();
  args_.position_step = position_step;
  args_.arrays = static_cast<int>(indices.size());
  args_.ndim = first.ndim;
  std::copy_n(first.shape.begin(), first.ndim, args_.shape);
  for (std::size_t j = 0; j < indices.size(); ++j) {
    if (!same_shape(indices[j], first)) return false;
    std::copy_n(indices[j].strides.begin(), first.ndim, args_.strides[j]);
    args_.dtypes[j] = indices[j].dtype;
    args_.lengths[j] = array.shape[j];
    args_.steps[j] = array.strides[j];
  }
  return true;
}

bool Indices::plan_rows(const Layout& y, const Layout& matrix) {
  Layout row{.dtype = matrix.dtype, .ndim = 1};
  row.shape[0] = matrix.shape[1];
  row.strides[0] = matrix.strides[1];
  return y.shape[0] <= matrix.shape[0] && plan({&y, 1}, row, matrix.strides[0]);
}

IndexArgs Indices::at(std::span<std::byte* const> data) const {
  IndexArgs args = args_;
  std::copy(data.begin(), data.end(), args.data);
  return args;
}

Status Indices::check(const IndexArgs& args, DeviceSession& session) {
  session.expect_fault();
  Origin origin = session.origin();
  // So far it counts rows.
  if (args.ndim > 0 && args.shape[0] > 0) origin.before *= args.count / args.shape[0];
  return status_of(launch_check(args, origin, session.fault(), session.stream()));
}

}  // namespace arignote::device
