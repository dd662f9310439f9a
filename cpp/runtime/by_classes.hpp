// A body that runs on all rows at once, but on one part of the classes after another. Scores are
// computed twice: first to know of each row what softmax is relative to, then for the gradients. In
// return each part of a gradient by weights of classes is complete when it is written, where blocks
// of rows would need all of it as float32 until the last of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/kernel.hpp"
#include "runtime/verify.hpp"

namespace arignote {

// Of a step that runs such a body on a device. Its bind() refuses bodies and layouts that cannot be
// cut so. `rows` has the axis of each input along which it is cut into rows, -1 for none.
std::unique_ptr<Kernel> make_by_classes(const Program& body, std::span<const std::int64_t> rows,
                                        Session& session);

// Of such a kernel that is bound: how many classes a part has.
std::int64_t classes_at_a_time(const Kernel& by_classes);

}  // namespace arignote
