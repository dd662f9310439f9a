#include "runtime/by_rows.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "core/division.hpp"
#include "core/parallel.hpp"
#include "runtime/by_classes.hpp"
#include "runtime/context.hpp"
#include "runtime/left_rows.hpp"
#include "runtime/row_cut.hpp"
#include "runtime/row_lane.hpp"
#include "runtime/row_sums.hpp"
#include "runtime/row_talents.hpp"
#include "runtime/rows_ahead.hpp"

namespace arignote {
namespace {

constexpr std::int64_t kMostLanes = 16;
constexpr double kLaneNanoseconds = 15'000;
// So many blocks are added one after the other, or those of so many rows, more as a tree: sums of
// many rows keep their digits.
constexpr std::int64_t kRun = 16;
constexpr std::int64_t kRunRows = 4096;
// But not if the sums together are larger: each level of a tree has some of its own.
constexpr std::size_t kMostTreeBytes = 1 << 20;

// How many levels of sums a tree of so many blocks needs.
std::size_t depth_of(std::int64_t blocks, std::int64_t run) {
  std::size_t depth = 1;
  for (; blocks > run; blocks = (blocks + 1) / 2) ++depth;
  return depth;
}

class ByRows final : public Kernel {
 public:
  ByRows(const StepSpec& spec, const Program& body, Session* session)
      : spec_(spec), body_(body), session_(body.backend != nullptr ? session : nullptr) {
    const auto outputs = spec.ints.begin() + std::ssize(body.plan.input_buffers);
    cut_.assign(spec.ints.begin(), outputs);
    is_sum_.assign(outputs, spec.ints.end());
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    whole_ = session_ == nullptr ? nullptr : body_.backend->row_block(spec_, body_);
    apart_ = whole_ != nullptr ? whole_->bind(inputs, outputs) : Status::out_of_memory(kNone);
    if (apart_.ok()) return {};
    whole_ = nullptr;
    inputs_.assign(inputs.begin(), inputs.end());
    outputs_.assign(outputs.begin(), outputs.end());
    lanes_.clear();
    left_ = 0;
    talents_ = {};
    plan_sums();
    const auto sum_bytes = static_cast<std::int64_t>(sums_.bytes(Together::kAll));
    RowCut rows;
    if (const Status status = cut_rows(body_, inputs_, cut_, sum_bytes, rows); !status.ok()) {
      return status;
    }
    rows_ = rows.rows;
    block_ = rows.block;
    if (const Status status = try_classes(); !status.ok() || whole_ != nullptr) return status;
    wants_lanes_ = rows.wants_lanes;
    if (const Status status = make_lanes(); !status.ok()) return status;
    if (session_ != nullptr) return {};
    rows_ahead_.plan(body_, inputs_, cut_, {blocks_, block_, std::ssize(lanes_)});
    return {};
  }
  std::size_t workspace_bytes() const override {
    if (whole_ != nullptr) return whole_->workspace_bytes();
    if (blocks_ == 1) return 0;
    const std::size_t in_lanes =
        lanes_[0]->levels().size() * sums_.bytes(Together::kAll) + sums_.bytes(Together::kBlock);
    std::size_t bytes =
        lanes_.size() * in_lanes - sums_.bytes(Together::kAll) + sums_.bytes(Together::kApart);
    for (const Prepared& part : talents_.prepared) bytes += align_up(part.bytes);
    return bytes;
  }
  const Status& why_apart() const { return apart_; }
  std::int64_t classes_in_part() const {
    return whole_ != nullptr && !apart_.ok() ? classes_at_a_time(*whole_) : 0;
  }
  double cost() const override { return whole_ != nullptr ? whole_->cost() : cost_; }
  Status enter(Session& session) noexcept override {
    return whole_ != nullptr ? whole_->enter(session) : Status{};
  }

  bool take_over(std::size_t output, const PartReader& reader) override {
    return whole_ != nullptr && whole_->take_over(output, reader);
  }
  bool reads_windows(std::size_t input) const override {
    return whole_ != nullptr && whole_->reads_windows(input);
  }

  // If there is but one block, what the body's step leaves may be left by this one. A body with
  // sizes that it reads from memory may be laid out anew in a run.
  const RowSource* row_source(std::size_t output) override {
    if (whole_ != nullptr) return nullptr;
    const int buffer = body_.plan.outputs[output];
    const auto place = output_to_leave(body_, buffer);
    const bool is_fixed = blocks_ == 1 && body_.schedule.segments.front().values.empty();
    if (!is_fixed || !place) return nullptr;
    const int step = body_.schedule.writer[buffer];
    Kernel* const kernel = lanes_[0]->context().kernel(step);
    if (kernel == nullptr || !body_.plan.step(step).guards.empty()) return nullptr;
    return kernel->row_source(*place);
  }

  Status run_with(const RunArgs& args, std::span<const Work> next,
                  std::size_t& taken) noexcept override {
    if (whole_ != nullptr) return whole_->run_with(args, next, taken);
    return Kernel::run_with(args, next, taken);
  }
  Status run(const RunArgs& args) noexcept override {
    if (whole_ != nullptr) return whole_->run(args);
    if (blocks_ == 1) {
      Targets& targets = lanes_[0]->scratch();
      std::ranges::copy(args.outputs, targets.begin());
      leave(args.left);
      return finished(*lanes_[0], 0, lanes_[0]->run(args.inputs, 0, block_, targets));
    }
    point(args);
    if (session_ == nullptr) rows_ahead_.start(args.inputs);
    std::array<Status, kMostLanes> statuses;
    const auto lanes = std::ssize(lanes_);
    parallel_for(lanes, [&](std::int64_t lane) {
      statuses[lane] =
          run_blocks(args, lane, blocks_ * lane / lanes, blocks_ * (lane + 1) / lanes, 0);
      add_finished(lane);
    });
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      if (!statuses[lane].ok()) return statuses[lane];
    }
    return finish_sums(args);
  }

 private:
  // Sums of halves take twice their memory until they are complete. If that is more than a block
  // may take, it is worth to compute scores twice.
  Status try_classes() {
    if (session_ == nullptr || rows_ <= block_) return {};
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const bool is_half_sum = is_sum_[i] != 0 && is_half(outputs_[i].dtype);
      if (is_half_sum) bytes += outputs_[i].size() * std::int64_t{sizeof(float)};
    }
    if (bytes <= body_.backend->block_bytes()) return {};
    whole_ = make_by_classes(body_, cut_, *session_);
    const Status status = whole_->bind(inputs_, outputs_);
    if (!status.ok()) whole_ = nullptr;
    return status.code == Code::kBadPlan ? Status{} : status;
  }

  Status make_lanes() {
    blocks_ = rows_ > block_ ? ceil_div(rows_, block_) : 1;
    const bool has_tree = session_ == nullptr && sums_.bytes(Together::kAll) <= kMostTreeBytes;
    run_ = has_tree
               ? std::clamp<std::int64_t>(kRunRows / std::max<std::int64_t>(1, block_), 1, kRun)
               : blocks_;
    std::int64_t count = 1;
    for (std::int64_t lane = 0; lane < count; ++lane) {
      count_allocation();
      const std::size_t levels = depth_of(ceil_div(blocks_, count), run_);
      lanes_.push_back(std::make_unique<Lane>(body_, inputs_, cut_, levels, session_));
      if (const Status status = prepare(*lanes_[lane], block_); !status.ok()) return status;
      if (lane == 0 && blocks_ > 1) {
        talents_ = find_talents(body_, lanes_[0]->context(), cut_, is_sum_);
        plan_sums();
        if (!sums_.can_add()) {
          return Status::bad_plan("[by_rows] sums must be of what can be added");
        }
      }
      if (lane > 0) continue;
      cost_ = lanes_[0]->context().cost() * static_cast<double>(blocks_);
      if (wants_lanes_) {
        const auto wanted = static_cast<std::int64_t>(cost_ / kLaneNanoseconds);
        const std::int64_t even = wanted > 1 ? ceil_div(wanted, kTogether) * kTogether : 1;
        count = std::min({even, kMostLanes, blocks_});
      }
    }
    // The last block may be shorter.
    if (blocks_ == 1) return {};
    const Lane& last = *lanes_.back();
    const Status status = prepare(*lanes_.back(), rows_ - (blocks_ - 1) * block_);
    return !status.ok() || has_talents(talents_, last.context())
               ? status
               : Status::bad_plan("[by_rows] blocks must be computed in one form");
  }

  Status finish_sums(const RunArgs& args) {
    for (const Adder& adder : talents_.adders) {
      if (!adder.has_own_form()) continue;
      const std::byte* sum = lanes_[0]->levels()[0][adder.output];
      Kernel* const kernel = lanes_[0]->context().kernel(adder.step);
      const Status status = kernel->finish(sum, args.outputs[adder.output], session_);
      if (!status.ok()) return status;
    }
    return {};
  }

  void plan_sums() {
    sums_.clear();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (is_sum_[i] == 0) continue;
      const auto adder = std::ranges::find(talents_.adders, i, &Adder::output);
      sums_.append(i, outputs_[i], adder == talents_.adders.end() ? nullptr : &*adder);
    }
  }

  Status prepare(Lane& lane, std::int64_t rows) const {
    if (const Status status = lane.prepare(rows); !status.ok()) return status;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      Layout wanted = outputs_[i];
      if (is_sum_[i] == 0 && blocks_ > 1) {
        if (wanted.shape[0] != rows_) return Status::bad_plan("[by_rows] out must have all rows");
        wanted.shape[0] = rows;
      }
      const Layout& found = *lane.context().operand(body_.plan.outputs[i]).layout;
      if (!same_shape(found, wanted)) return Status::bad_plan("[by_rows] out must fit the body's");
    }
    return {};
  }

  // Has the body's steps leave what this one does.
  void leave(std::uint32_t outputs) {
    if (outputs == left_) return;
    left_ = outputs;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const int buffer = body_.plan.outputs[i];
      if (const auto place = output_to_leave(body_, buffer)) {
        const bool leaves = (outputs >> i & 1U) != 0;
        lanes_[0]->context().let_leave(body_.schedule.writer[buffer], *place, leaves);
      }
    }
  }

  void point(const RunArgs& args) {
    std::byte* memory = args.workspace;
    for (const auto& lane : lanes_) {
      for (Targets& targets : lane->levels()) {
        const bool is_first = &targets == &lanes_[0]->levels()[0];
        memory = sums_.point(targets, memory, is_first ? Together::kApart : Together::kAll);
      }
      memory = sums_.point(lane->scratch(), memory, Together::kBlock);
    }
    sums_.point_at_outputs(lanes_[0]->levels()[0], args.outputs);
    for (const Prepared& part : talents_.prepared) {
      Kernel* const kernel = lanes_[0]->context().kernel(part.step);
      const std::byte* const rows = part.rows < 0 ? nullptr : args.inputs[part.rows];
      const std::byte* const ready = kernel->prepare(args.inputs[part.number], rows, memory);
      for (const auto& lane : lanes_) lane->context().hand(part.step, ready);
      memory += align_up(part.bytes);
    }
  }

  // Adds up the sums of two neighbours as soon as both have theirs, then those of pairs, and so on:
  // the same tree whoever comes last.
  void add_finished(std::int64_t lane) {
    const auto lanes = std::ssize(lanes_);
    for (std::int64_t step = 1; step < lanes; step *= 2) {
      lane = lane / (2 * step) * (2 * step);
      const std::int64_t neighbour = lane + step;
      if (neighbour >= lanes) continue;
      const bool is_last = one_has_come_[neighbour].exchange(true, std::memory_order_acq_rel);
      if (!is_last) return;
      one_has_come_[neighbour].store(false, std::memory_order_relaxed);
      sums_.add(lanes_[lane]->levels()[0], lanes_[neighbour]->levels()[0]);
    }
  }

  // Leaves the sums of some blocks in those of a level.
  Status run_blocks(const RunArgs& args, std::int64_t number, std::int64_t first, std::int64_t last,
                    std::size_t level) {
    Lane& lane = *lanes_[number];
    Targets& total = lane.levels()[level];
    if (last - first > run_) {
      const std::int64_t middle = first + (last - first) / 2;
      if (const Status status = run_blocks(args, number, first, middle, level); !status.ok()) {
        return status;
      }
      if (const Status status = run_blocks(args, number, middle, last, level + 1); !status.ok()) {
        return status;
      }
      sums_.add(total, lane.levels()[level + 1]);
      return {};
    }
    if (session_ == nullptr) sums_.start(total);
    sums_.share(lane.scratch(), total);
    for (std::int64_t block = first; block < last; ++block) {
      Targets& targets = block == first ? total : lane.scratch();
      for (const Adder& adder : talents_.adders) {
        // The host's begin with zeros.
        const bool has_begun = adder.has_own_form() && session_ == nullptr;
        std::byte* const sum = adder.has_own_form() ? total[adder.output] : nullptr;
        lane.context().let_sum(adder.step, sum, has_begun || block > first);
      }
      if (wants_lanes_) rows_ahead_.let_fetch(lane.context(), number, block);
      const std::int64_t row = block * block_;
      for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (is_sum_[i] == 0) targets[i] = args.outputs[i] + row * outputs_[i].strides[0];
      }
      lane.context().begin_at(row);
      const Status status = lane.run(args.inputs, row, std::min(block_, rows_ - row), targets);
      if (!status.ok()) return finished(lane, row, status);
      if (block == first) continue;
      if (const Status added = add_block(total, targets); !added.ok()) return added;
    }
    return {};
  }

  Status add_block(const Targets& total, const Targets& block) const {
    if (session_ != nullptr) return sums_.add_block(total, block, *session_);
    sums_.add_block(total, block);
    return {};
  }

  // Kernels that fail at an index have it as their second operand.
  Status finished(const Lane& lane, std::int64_t row, Status status) const {
    status.step = lane.context().step();
    if (status.code != Code::kIndexOutOfRange || row == 0) return status;
    const Layout& index = *lane.context().operand(body_.plan.step(status.step).inputs[1]).layout;
    status.position += row * (index.size() / std::max<std::int64_t>(1, index.shape[0]));
    return status;
  }

  const StepSpec& spec_;
  const Program& body_;
  // Runs all of the body on a device, if that has a kernel for it, or part by part of its classes.
  std::unique_ptr<Kernel> whole_;
  Status apart_;  // why there is no such kernel
  Session* session_;  // null for a body on the host
  std::vector<std::int64_t> cut_;
  std::vector<std::int64_t> is_sum_;
  std::vector<Layout> inputs_;
  std::vector<Layout> outputs_;
  Sums sums_;
  Talents talents_;
  RowsAhead rows_ahead_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::array<std::atomic<bool>, kMostLanes> one_has_come_{};  // of a lane and its neighbour
  std::int64_t rows_ = 0;
  std::int64_t block_ = 0;
  std::int64_t blocks_ = 1;
  std::int64_t run_ = kRun;
  bool wants_lanes_ = false;
  std::uint32_t left_ = 0;  // outputs, as in RunArgs
  double cost_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_by_rows(const StepSpec& spec, const Program& body, Session* session) {
  return std::make_unique<ByRows>(spec, body, session);
}

Status why_apart(const Kernel& by_rows) { return static_cast<const ByRows&>(by_rows).why_apart(); }
std::int64_t classes_in_part(const Kernel& by_rows) {
  return static_cast<const ByRows&>(by_rows).classes_in_part();
}

}  // namespace arignote
