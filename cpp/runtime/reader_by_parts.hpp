// A step that runs on parts of its operands along one axis, as an earlier step makes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "runtime/backend.hpp"

namespace arignote {

class ReaderByParts {
 public:
  // Parts of an array have so many elements along an axis, of `all` there; the last one may have
  // fewer.
  struct Parts {
    std::size_t axis;
    std::int64_t length;
    std::int64_t all;

    std::int64_t count_from(std::int64_t first) const { return std::min(length, all - first); }
  };

  // Nothing if the step is not one that makes each element of its results of the same elements of
  // its operands. `made` is how the array would lie of which it reads the parts; they lie without
  // gaps.
  static std::optional<ReaderByParts> make(const PartReader& reader, const Layout& made,
                                           const Parts& parts, const Backend& backend,
                                           Session& session);

  // Bytes from one element along the axis to the next in what it writes.
  std::int64_t step() const { return outputs_[0].strides[parts_.axis]; }

  std::size_t workspace_bytes() const;
  // `args` are those of the step, `made` the part from `first` on.
  Status run(const RunArgs& args, std::int64_t first, std::byte* made, std::byte* workspace);

 private:
  // For whole parts, and for the last one.
  struct Bound {
    std::unique_ptr<Kernel> kernel;
    std::int64_t length = 0;
  };
  bool find_axes(const Layout& made);
  Status bind(const PartReader& reader, Layout made, const Backend& backend, Session& session,
              Bound& bound) const;
  Layout part_of(Layout whole, std::int64_t length) const;
  std::byte* point(std::byte* data, const Layout& whole, std::int64_t first) const;

  Parts parts_{};  // along the axis as the step has it
  std::size_t made_axis_ = 0;
  std::array<std::size_t, kMaxDims> axes_{};  // of what is made, by axis of the operand
  std::size_t input_ = 0;  // that it reads part by part
  std::vector<Layout> inputs_;
  std::vector<Layout> outputs_;
  std::array<Bound, 2> bound_;
  std::vector<std::byte*> pointers_;
  std::int64_t moves_ = 0;
};

}  // namespace arignote
