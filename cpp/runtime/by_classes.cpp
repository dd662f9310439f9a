#include "runtime/by_classes.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/division.hpp"
#include "runtime/class_cut.hpp"
#include "runtime/reader_by_parts.hpp"
#include "runtime/row_cut.hpp"
#include "runtime/row_lane.hpp"

namespace arignote {
namespace {

// Classes of a part come in multiples of so many: products want many columns, and whole pieces of
// memory.
constexpr std::int64_t kLeastClasses = 64;
// The temporaries of a part, of those of a block of rows: the sums are what takes memory here.
constexpr std::int64_t kShare = 16;

std::int64_t count_classes(const ClassCut& cut, std::span<const Layout> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (cut.inputs[i] >= 0) return inputs[i].shape[cut.inputs[i]];
  }
  return 0;
}

class ByClasses final : public Kernel {
 public:
  ByClasses(const Program& body, std::span<const std::int64_t> rows, Session& session)
      : body_(body), rows_(rows), session_(session) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    inputs_.assign(inputs.begin(), inputs.end());
    outputs_.assign(outputs.begin(), outputs.end());
    targets_.resize(outputs.size());
    sums_.clear();
    apart_.clear();
    readers_.clear();
    workspace_ = 0;
    std::optional<ClassCut> cut = find_class_cut(body_, rows_);
    if (!cut) return Status::bad_plan("a step needs all classes at a time");
    cut_ = *std::move(cut);
    if (const Status status = cut_classes(inputs); !status.ok()) return status;
    lane_.emplace(body_, inputs, cut_.inputs, 0, &session_);
    // The last part may be smaller. Where the first one is laid out last, what follows is about it.
    for (const std::int64_t count : {classes_ - (parts() - 1) * part_, part_}) {
      if (const Status status = lane_->prepare(count); !status.ok()) return status;
    }
    const Kernel& scoring = *lane_->context().kernel(cut_.step);
    seen_ = reserve(scoring.seen_bytes());
    const bool fits = scoring.seen_bytes() != 0 && suits_windows(cut_, lane_->context());
    if (!fits || !plan_sums() || !plan_outputs()) {
      return Status::bad_plan("[by_rows] parts of the classes must fit the whole");
    }
    return {};
  }
  std::size_t workspace_bytes() const override { return workspace_; }
  double cost() const override {
    return 2 * lane_->context().cost() * static_cast<double>(parts());
  }

  std::int64_t part() const { return part_; }

  // What it writes may be what is read here, if each part of it is the same classes' here.
  bool take_over(std::size_t output, const PartReader& reader) override {
    const std::int64_t axis = cut_.outputs[output];
    if (axis < 0 || reader.outputs.empty()) return false;
    const ReaderByParts::Parts parts{static_cast<std::size_t>(axis), part_, classes_};
    auto part = ReaderByParts::make(reader, outputs_[output], parts, *body_.backend, session_);
    if (!part) return false;
    for (std::size_t i = 0; i < reader.writes.size(); ++i) {
      const std::int64_t own = cut_.inputs[i];
      const bool is_same_part = own >= 0 && inputs_[i].strides[own] == part->step();
      if (reader.writes[i] && !is_same_part) return false;
    }
    const Layout& made = *lane_->context().operand(body_.plan.outputs[output]).layout;
    const std::size_t workspace = reserve(part->workspace_bytes());
    const auto apart = std::ranges::find(apart_, output, &Apart::output);
    const std::size_t place = apart != apart_.end() ? apart->offset : reserve(bytes_of(made));
    if (apart != apart_.end()) apart_.erase(apart);
    readers_.push_back({*std::move(part), output, place, workspace});
    return true;
  }

  Status run(const RunArgs& args) noexcept override {
    Context& context = lane_->context();
    columns_ = {.all = classes_, .seen = args.workspace + seen_};
    context.let_part(cut_.step, &columns_);
    let_run(Phase::kObserve);
    for (std::int64_t first = 0; first < classes_; first += part_) {
      if (const Status status = run_part(args, first); !status.ok()) return status;
    }
    columns_.is_observed = true;
    let_run(Phase::kWrite);
    std::int64_t last = 0;
    for (std::int64_t first = 0; first < classes_; last = first, first += part_) {
      for (const Sum& sum : sums_) {
        context.let_sum(sum.step, args.workspace + sum.offset, first > 0);
      }
      Status status = run_part(args, first);
      if (status.ok()) status = copy_parts(args, first);
      if (status.ok()) status = run_readers(args, first);
      if (!status.ok()) return status;
    }
    if (const Status status = finish_sums(args); !status.ok() || cut_.late.empty()) return status;
    let_run(Phase::kLate);
    return run_part(args, last);
  }

 private:
  // An output with an axis of classes parts of which do not lie together: each is made elsewhere,
  // and copied.
  struct Apart {
    std::size_t output;
    std::size_t offset;  // in the workspace
    Layout part;
    Layout whole;  // with the strides of the output, and as many classes
  };
  // What another step reads part by part.
  struct Reader {
    ReaderByParts step;
    std::size_t output;
    std::size_t offset;     // of a part, in the workspace
    std::size_t workspace;  // of its kernel, there
  };
  // A product that adds up over the classes, in a form of its own.
  struct Sum {
    int step;
    std::size_t offset;  // in the workspace
  };
  // All parts are observed, then all are written, with what is added up over them; what waits for
  // such sums comes last.
  enum class Phase { kObserve, kWrite, kLate };

  Status cut_classes(std::span<const Layout> inputs) {
    classes_ = count_classes(cut_, inputs);
    std::int64_t one = 0;
    std::int64_t two = 0;
    Status status = measure(body_, inputs, cut_.inputs, kLeastClasses, one);
    if (status.ok()) status = measure(body_, inputs, cut_.inputs, 2 * kLeastClasses, two);
    if (!status.ok()) return status;
    // What else there is, such as a gradient by the rows, is the same for any part.
    const std::int64_t each = (two - one) / kLeastClasses;
    const std::int64_t most = body_.backend->block_bytes();
    const std::int64_t fitting = most / kShare / std::max<std::int64_t>(1, each);
    const std::int64_t part = std::max(fitting, kLeastClasses);
    if (part >= classes_ || part * each > most) {
      return Status::bad_plan("there are too few classes, or too many rows");
    }
    // Parts of about one size.
    part_ = round_up(ceil_div(classes_, ceil_div(classes_, part)), kLeastClasses);
    return {};
  }
  std::int64_t parts() const { return ceil_div(classes_, part_); }

  bool plan_sums() {
    for (const int step : cut_.sums) {
      const std::size_t bytes = lane_->context().kernel(step)->sum_form().bytes;
      if (bytes == 0) return false;
      sums_.push_back({step, reserve(bytes)});
    }
    return true;
  }

  bool plan_outputs() {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Layout& part = *lane_->context().operand(body_.plan.outputs[i]).layout;
      Layout whole = outputs_[i];
      if (cut_.outputs[i] >= 0) whole.shape[cut_.outputs[i]] = part_;
      if (!same_shape(part, whole)) return false;
      if (cut_.outputs[i] > 0) apart_.push_back({i, reserve(bytes_of(part)), part, whole});
    }
    return true;
  }

  // Returns where so many bytes of the workspace begin.
  std::size_t reserve(std::size_t bytes) {
    return std::exchange(workspace_, workspace_ + align_up(bytes));
  }

  // The classes from this one on.
  std::int64_t count_from(std::int64_t first) const { return std::min(part_, classes_ - first); }

  Status run_part(const RunArgs& args, std::int64_t first) {
    columns_.first = first;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      targets_[i] = args.outputs[i];
      if (cut_.outputs[i] == 0) targets_[i] += first * outputs_[i].strides[0];
    }
    for (const Apart& apart : apart_) targets_[apart.output] = args.workspace + apart.offset;
    for (const Reader& each : readers_) targets_[each.output] = args.workspace + each.offset;
    Status status = lane_->run(args.inputs, first, count_from(first), targets_);
    if (!status.ok()) status.step = lane_->context().step();
    return status;
  }

  Status copy_parts(const RunArgs& args, std::int64_t first) {
    for (Apart& apart : apart_) {
      const auto axis = static_cast<std::size_t>(cut_.outputs[apart.output]);
      apart.part.shape[axis] = apart.whole.shape[axis] = count_from(first);
      make_contiguous(apart.part);
      std::byte* const to = args.outputs[apart.output] + first * apart.whole.strides[axis];
      const Status status =
          session_.copy_array(apart.part, args.workspace + apart.offset, apart.whole, to);
      if (!status.ok()) return status;
    }
    return {};
  }

  Status run_readers(const RunArgs& args, std::int64_t first) {
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      Reader& reader = readers_[i];
      const Status status =
          reader.step.run(*args.taken_over[i], first, args.workspace + reader.offset,
                          args.workspace + reader.workspace);
      if (!status.ok()) return status;
    }
    return {};
  }

  void let_run(Phase phase) {
    for (int id = 0; id < body_.plan.n_steps(); ++id) {
      const bool is_late = std::ranges::find(cut_.late, id) != cut_.late.end();
      const bool is_sum = std::ranges::find(cut_.sums, id) != cut_.sums.end();
      const bool is_wanted = phase != Phase::kObserve || (id <= cut_.step && !is_sum);
      lane_->context().let_run(id, is_late == (phase == Phase::kLate) && is_wanted);
    }
  }

  Status finish_sums(const RunArgs& args) {
    const Context& context = lane_->context();
    for (const Sum& sum : sums_) {
      const Operand output = context.operand(body_.plan.step(sum.step).outputs[0]);
      Kernel& kernel = *context.kernel(sum.step);
      const Status status = kernel.finish(args.workspace + sum.offset, output.data, &session_);
      if (!status.ok()) return status;
    }
    return {};
  }

  const Program& body_;
  std::span<const std::int64_t> rows_;
  Session& session_;
  ClassCut cut_;
  std::vector<Layout> inputs_;
  std::vector<Layout> outputs_;
  std::optional<Lane> lane_;
  ColumnPart columns_;
  std::int64_t classes_ = 0;
  std::int64_t part_ = 0;  // classes at a time, but for the last
  std::vector<Sum> sums_;
  std::vector<Apart> apart_;
  std::vector<Reader> readers_;
  Targets targets_;
  std::size_t seen_ = 0;  // its offset in the workspace
  std::size_t workspace_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_by_classes(const Program& body, std::span<const std::int64_t> rows,
                                        Session& session) {
  return std::make_unique<ByClasses>(body, rows, session);
}

std::int64_t classes_at_a_time(const Kernel& by_classes) {
  return static_cast<const ByClasses&>(by_classes).part();
}

}  // namespace arignote
