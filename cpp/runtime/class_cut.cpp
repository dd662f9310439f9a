#include "runtime/class_cut.hpp"

#include <algorithm>
#include <string_view>

namespace arignote {
namespace {

constexpr int kNoAxis = -1;
constexpr int kSeveral = -2;

// The step whose first operand are scores, if there is one such step.
int find_scoring_step(const Plan& plan) {
  int found = kNone;
  for (int id = 0; id < plan.n_steps(); ++id) {
    const std::string_view kernel = plan.step(id).spec.kernel;
    if (kernel != "nll_gradient" && kernel != "nll_with_gradient") continue;
    if (found != kNone) return kNone;
    found = id;
  }
  return found;
}

// Which axes of which buffers the classes are. Lengths that are always equal are one register.
class Classes {
 public:
  Classes(const Plan& plan, int scoring)
      : plan_(plan),
        scoring_(scoring),
        length_(plan.buffer(plan.step(scoring).inputs[0]).shape[1]) {}

  int axis_of(int buffer) const {
    const std::vector<int>& shape = plan_.buffer(buffer).shape;
    if (std::ranges::count(shape, length_) > 1) return kSeveral;
    const auto found = std::ranges::find(shape, length_);
    return found == shape.end() ? kNoAxis : static_cast<int>(found - shape.begin());
  }

  // Whether a register is another one for a part of the classes.
  bool decide(int reg) const {
    const Dim& dim = plan_.dims[reg];
    if (reg == length_) return true;
    if (dim.op == DimOp::kShape) {
      return plan_.buffer(static_cast<int>(dim.a)).shape[static_cast<std::size_t>(dim.b)] ==
             length_;
    }
    if (is_source(dim.op)) return false;
    return decide(static_cast<int>(dim.a)) ||
           (is_binary(dim.op) && decide(static_cast<int>(dim.b)));
  }

  bool suit_rows(std::span<const std::int64_t> rows) const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] >= 0 && rows[i] == axis_of(plan_.input_buffers[i])) return false;
    }
    return true;
  }

  bool suit(const BufferSpec& spec) const {
    if (std::ranges::count(spec.shape, length_) > 1) return false;
    const bool has_classes = std::ranges::find(spec.shape, length_) != spec.shape.end();
    switch (spec.kind) {
      case BufferKind::kConst: return !has_classes;
      case BufferKind::kScalar: return !decide(spec.value);
      case BufferKind::kReshape: return !has_classes && axis_of(spec.base) == kNoAxis;
      case BufferKind::kView:
        return has_classes == (axis_of(spec.base) != kNoAxis) && !decide(spec.offset);
      default: return true;
    }
  }

  // Of a step that has nothing to do with classes.
  bool are_none_of(const Step& step) const {
    const auto has_none = [&](int buffer) { return !has_axis(buffer); };
    return is_plain(step) && std::ranges::all_of(step.inputs, has_none) &&
           std::ranges::all_of(step.outputs, has_none);
  }

  // `is_sum` is told of steps that add up over the classes.
  bool suit(int id, bool& is_sum) const {
    const Step& step = plan_.step(id);
    is_sum = false;
    if (are_none_of(step)) return step.spec.kernel == "elementwise" && is_small(step);
    if (!is_plain(step)) return false;
    if (id == scoring_) return suits_scores(step);
    if (step.spec.kernel == "dot") return suits_product(step, is_sum);
    return step.spec.kernel == "elementwise" && suits_program(step);
  }

 private:
  static bool is_plain(const Step& step) {
    return step.kind == StepKind::kKernel && step.guards.empty() && step.dims.empty();
  }
  bool has_axis(int buffer) const { return axis_of(buffer) != kNoAxis; }

  // It is run again for each part of the classes.
  bool is_small(const Step& step) const {
    const auto is_vector = [&](int buffer) { return plan_.buffer(buffer).ndim() <= 1; };
    return std::ranges::all_of(step.inputs, is_vector) &&
           std::ranges::all_of(step.outputs, is_vector);
  }

  bool suits_scores(const Step& step) const {
    const auto has_none = [&](int buffer) { return !has_axis(buffer); };
    return std::ranges::all_of(step.inputs.begin() + 1, step.inputs.end(), has_none) &&
           axis_of(step.outputs[0]) == 1 &&
           std::ranges::all_of(step.outputs.begin() + 1, step.outputs.end(), has_none);
  }

  bool suits_product(const Step& step, bool& is_sum) const {
    const int a = step.inputs[0];
    const int b = step.inputs[1];
    const int out = step.outputs[0];
    const bool is_left_last = axis_of(a) == plan_.buffer(a).ndim() - 1;
    const bool is_right_first = axis_of(b) == 0;
    is_sum = is_left_last && is_right_first && !has_axis(out);
    if (is_sum) return true;
    if (has_axis(a) == has_axis(b)) return false;
    if (has_axis(a)) return !is_left_last && axis_of(out) == 0;
    return !is_right_first && axis_of(out) == plan_.buffer(out).ndim() - 1;
  }

  // All operands of a program have the axes that it runs over.
  bool suits_program(const Step& step) const {
    int axis = kNoAxis;
    const int ndim = plan_.buffer(step.inputs[0]).ndim();
    for (const int buffer : step.inputs) {
      const int own = axis_of(buffer);
      const bool is_another = axis != kNoAxis && own != kNoAxis && own != axis;
      if (is_another || plan_.buffer(buffer).ndim() != ndim) return false;
      axis = std::max(axis, own);
    }
    return std::ranges::all_of(step.outputs, [&](int buffer) {
      return plan_.buffer(buffer).ndim() == ndim ? axis_of(buffer) == axis : has_axis(buffer);
    });
  }

  const Plan& plan_;
  int scoring_;
  int length_;  // the register of how many there are
};

}  // namespace

std::optional<ClassCut> find_class_cut(const Program& body, std::span<const std::int64_t> rows) {
  const Plan& plan = body.plan;
  ClassCut cut;
  cut.step = find_scoring_step(plan);
  if (cut.step == kNone) return std::nullopt;
  const Classes classes(plan, cut.step);
  const auto suits = [&](const BufferSpec& spec) { return classes.suit(spec); };
  if (!classes.suit_rows(rows) || !std::ranges::all_of(plan.buffers, suits)) return std::nullopt;
  std::vector<bool> is_late(plan.buffers.size());
  for (int id = 0; id < plan.n_steps(); ++id) {
    const Step& step = plan.step(id);
    const auto waits = [&](int buffer) { return is_late[plan.viewed(buffer)]; };
    const auto comes_before = [&](int buffer) {
      return plan.buffer(plan.viewed(buffer)).kind != BufferKind::kTemp;
    };
    bool is_sum = false;
    if (std::ranges::any_of(step.inputs, waits)) {
      const auto is_ready = [&](int buffer) { return waits(buffer) || comes_before(buffer); };
      if (!classes.are_none_of(step) || !std::ranges::all_of(step.inputs, is_ready)) return {};
      cut.late.push_back(id);
    } else if (!classes.suit(id, is_sum)) {
      return std::nullopt;
    } else if (is_sum) {
      cut.sums.push_back(id);
    } else {
      continue;
    }
    for (const int buffer : step.outputs) is_late[buffer] = true;
  }
  // Of several sums one may take the memory of another when that has been worked on.
  if (cut.sums.size() > 1 && !cut.late.empty()) return std::nullopt;
  for (const int id : plan.input_buffers) cut.inputs.push_back(classes.axis_of(id));
  for (const int id : plan.outputs) cut.outputs.push_back(classes.axis_of(id));
  return cut;
}

bool suits_windows(const ClassCut& cut, const Context& context) {
  const Plan& plan = context.program().plan;
  const Classes classes(plan, cut.step);
  for (int id = 0; id < plan.n_buffers(); ++id) {
    const BufferSpec& spec = plan.buffer(id);
    const int axis = classes.axis_of(id);
    if (spec.kind != BufferKind::kView || axis == kNoAxis) continue;
    const int of_base = classes.axis_of(spec.base);
    if (context.layout(id).strides[axis] != context.layout(spec.base).strides[of_base])
      return false;
  }
  return true;
}

}  // namespace arignote
