#include "runtime/reader_by_parts.hpp"

#include <algorithm>

#include "kernels/strided.hpp"
#include "runtime/binding.hpp"

namespace arignote {
namespace {

// Of programs that reduce nothing, whose results overwrite an operand.
bool is_elementwise(const PartReader& reader) {
  const StepSpec& spec = *reader.spec;
  if (spec.kernel != "elementwise") return false;
  for (std::size_t o = 0; o < reader.outputs.size(); ++o) {
    const bool overwrites = o < spec.shared_storage.size() && !spec.shared_storage[o].empty();
    if (!overwrites || !same_shape(reader.outputs[o], reader.inputs[reader.input])) return false;
  }
  return true;
}

}  // namespace

std::optional<ReaderByParts> ReaderByParts::make(const PartReader& reader, const Layout& made,
                                                 const Parts& parts, const Backend& backend,
                                                 Session& session) {
  if (!is_elementwise(reader)) return std::nullopt;
  ReaderByParts own;
  own.parts_ = parts;
  own.input_ = reader.input;
  own.inputs_ = reader.inputs;
  own.outputs_ = reader.outputs;
  if (!own.find_axes(made)) return std::nullopt;
  const std::int64_t last = parts.count_from((parts.all - 1) / parts.length * parts.length);
  own.bound_[0].length = parts.length;
  own.bound_[1].length = last;
  for (Bound& bound : own.bound_) {
    if (!own.bind(reader, made, backend, session, bound).ok()) return std::nullopt;
  }
  own.pointers_.resize(own.inputs_.size() + own.outputs_.size());
  return own;
}

// The operand may be a transpose.
bool ReaderByParts::find_axes(const Layout& made) {
  const Layout& operand = inputs_[input_];
  if (operand.ndim != made.ndim) return false;
  made_axis_ = parts_.axis;
  for (int axis = 0; axis < made.ndim; ++axis) {
    int found = 0;
    for (int own = 0; own < made.ndim; ++own) {
      if (operand.strides[own] != made.strides[axis] || operand.shape[own] != made.shape[axis]) {
        continue;
      }
      ++found;
      axes_[own] = static_cast<std::size_t>(axis);
      if (static_cast<std::size_t>(axis) == made_axis_) parts_.axis = static_cast<std::size_t>(own);
    }
    if (found != 1) return false;
  }
  return true;
}

Layout ReaderByParts::part_of(Layout whole, std::int64_t length) const {
  if (whole.shape[parts_.axis] == parts_.all) whole.shape[parts_.axis] = length;
  return whole;
}

Status ReaderByParts::bind(const PartReader& reader, Layout made, const Backend& backend,
                           Session& session, Bound& bound) const {
  std::vector<Layout> inputs, outputs;
  for (const Layout& input : inputs_) inputs.push_back(part_of(input, bound.length));
  for (const Layout& output : outputs_) outputs.push_back(part_of(output, bound.length));
  made.shape[made_axis_] = bound.length;
  make_contiguous(made);
  for (int axis = 0; axis < made.ndim; ++axis) {
    inputs[input_].shape[axis] = made.shape[axes_[axis]];
    inputs[input_].strides[axis] = made.strides[axes_[axis]];
  }
  Status status;
  const KernelEntry* const entry = backend.find(reader.spec->kernel);
  bound.kernel = entry == nullptr ? nullptr : entry->make(*reader.spec, status);
  if (bound.kernel == nullptr) return Status::bad_plan("the kernel refuses the step");
  status = bound.kernel->bind(inputs, outputs);
  return status.ok() ? bound.kernel->enter(session) : status;
}

std::size_t ReaderByParts::workspace_bytes() const {
  return std::max(bound_[0].kernel->workspace_bytes(), bound_[1].kernel->workspace_bytes());
}

std::byte* ReaderByParts::point(std::byte* data, const Layout& whole, std::int64_t first) const {
  const bool is_cut = whole.shape[parts_.axis] == parts_.all;
  return is_cut ? data + first * whole.strides[parts_.axis] : data;
}

Status ReaderByParts::run(const RunArgs& args, std::int64_t first, std::byte* made,
                          std::byte* workspace) {
  const std::int64_t length = parts_.count_from(first);
  const std::size_t inputs = inputs_.size();
  for (std::size_t i = 0; i < inputs; ++i) {
    pointers_[i] = i == input_ ? made : point(args.inputs[i], inputs_[i], first);
  }
  for (std::size_t o = 0; o < outputs_.size(); ++o) {
    pointers_[inputs + o] = point(args.outputs[o], outputs_[o], first);
  }
  RunArgs part = args;
  part.inputs = std::span<std::byte* const>(pointers_).first(inputs);
  part.outputs = std::span<std::byte* const>(pointers_).subspan(inputs);
  part.workspace = workspace;
  part.moves = ++moves_;
  return bound_[length == parts_.length ? 0 : 1].kernel->run(part);
}

}  // namespace arignote
