// How a body is cut along classes: the columns of the matrix that has a score of each class in each
// row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtime/context.hpp"

namespace arignote {

struct ClassCut {
  // The step that makes of all scores what follows for each.
  int step = kNone;
  // The axis of the classes of each input of the body, and of each output; -1 for those of none.
  std::vector<std::int64_t> inputs;
  std::vector<std::int64_t> outputs;
  // Products that are sums over the classes.
  std::vector<int> sums;
  // Steps that wait for such sums; of what else the body computes they need nothing.
  std::vector<int> late;
};

// Nothing if the body cannot be cut so: if there is not one such step, or another one needs all
// classes at a time, or one that has nothing to do with them takes too long to be run for each part
// of them; or if steps wait for one of several sums. `rows` has the axis of each input along which
// it is cut into rows, -1 for none.
std::optional<ClassCut> find_class_cut(const Program& body, std::span<const std::int64_t> rows);

// Whether each window of the body, as the context has laid it out, runs over the classes as what it
// is a window of does.
bool suits_windows(const ClassCut& cut, const Context& context);

}  // namespace arignote
