#include "runtime/by_rows.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "core/parallel.hpp"
#include "runtime/context.hpp"
#include "runtime/row_lane.hpp"
#include "runtime/row_sums.hpp"
#include "runtime/rows_ahead.hpp"

namespace arignote {
namespace {

// What a block and all that stays with it may take of a cache of its core.
constexpr std::int64_t kCacheBytes = 256 << 10;
// Temporaries of blocks that run one after the other, when what stays is larger than that: products
// with a large factor read it once for each block, so the more rows the better.
constexpr std::int64_t kMostBytes = 40 << 20;
constexpr std::int64_t kLeastRows = 16;
// Kernels work on a few rows at a time, of which one alone takes as long as two.
constexpr std::int64_t kTileRows = 2;
constexpr std::int64_t kMostRows = 4096;
constexpr std::int64_t kMostLanes = 16;
constexpr double kLaneNanoseconds = 15'000;
// Blocks, and lanes, come in multiples of so many, so that a few threads end at the same time.
constexpr std::int64_t kTogether = 4;
// So many blocks are added one after the other, or those of so many rows, more as a tree: sums of
// many rows keep their digits.
constexpr std::int64_t kRun = 16;
constexpr std::int64_t kRunRows = 4096;
// But not if the sums together are larger: each level of a tree has some of its own.
constexpr std::size_t kMostTreeBytes = 1 << 20;

// A kernel of the body that works out something once for all blocks.
struct Prepared {
  int step;
  std::size_t input;  // of the kernel
  int number;         // of the body's input
  std::size_t bytes;
};

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

// How many levels of sums a tree of so many blocks needs.
std::size_t depth_of(std::int64_t blocks, std::int64_t run) {
  std::size_t depth = 1;
  for (; blocks > run; blocks = (blocks + 1) / 2) ++depth;
  return depth;
}

class ByRows final : public Kernel {
 public:
  ByRows(const StepSpec& spec, const Program& body, Session* session)
      : body_(body), session_(body.backend != nullptr ? session : nullptr) {
    const auto outputs = spec.ints.begin() + std::ssize(body.plan.input_buffers);
    cut_.assign(spec.ints.begin(), outputs);
    is_sum_.assign(outputs, spec.ints.end());
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    inputs_.assign(inputs.begin(), inputs.end());
    outputs_.assign(outputs.begin(), outputs.end());
    lanes_.clear();
    prepared_.clear();
    adders_.clear();
    plan_sums();
    find_rows();
    if (const Status status = choose_block(); !status.ok()) return status;
    if (const Status status = make_lanes(); !status.ok()) return status;
    if (session_ != nullptr) return {};
    rows_ahead_.plan(body_, inputs_, cut_, {blocks_, block_, std::ssize(lanes_)});
    return {};
  }
  std::size_t workspace_bytes() const override {
    if (blocks_ == 1) return 0;
    const std::size_t in_lanes =
        lanes_[0]->levels().size() * sums_.bytes(Together::kAll) + sums_.bytes(Together::kBlock);
    std::size_t bytes =
        lanes_.size() * in_lanes - sums_.bytes(Together::kAll) + sums_.bytes(Together::kApart);
    for (const Prepared& part : prepared_) bytes += align_up(part.bytes);
    return bytes;
  }
  double cost() const override { return cost_; }

  Status run(const RunArgs& args) noexcept override {
    if (blocks_ == 1) {
      Targets& targets = lanes_[0]->scratch();
      std::ranges::copy(args.outputs, targets.begin());
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
    for (const Adder& adder : adders_) {
      if (adder.bytes == 0) continue;
      const std::byte* sum = lanes_[0]->levels()[0][adder.output];
      lanes_[0]->context().kernel(adder.step)->finish(sum, args.outputs[adder.output]);
    }
    return {};
  }

 private:
  // Operands of different lengths run as they are: what that means is the body's affair.
  void find_rows() {
    rows_ = kAsTheyAre;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (cut_[i] < 0) continue;
      const std::int64_t length = inputs_[i].shape[cut_[i]];
      if (rows_ != kAsTheyAre && length != rows_) {
        rows_ = kAsTheyAre;
        return;
      }
      rows_ = length;
    }
  }

  Status choose_block() {
    block_ = rows_;
    wants_lanes_ = false;
    if (rows_ <= kLeastRows) return {};
    std::int64_t temporary = 0;
    if (const Status status = temporary_bytes(temporary); !status.ok()) return status;
    std::int64_t row = temporary;
    auto fixed = static_cast<std::int64_t>(sums_.bytes(Together::kAll));
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const std::int64_t bytes = bytes_of(inputs_[i]);
      cut_[i] >= 0 ? row += bytes / rows_ : fixed += bytes;
    }
    wants_lanes_ = session_ == nullptr && fixed <= kCacheBytes;
    const std::int64_t bytes = session_ == nullptr ? kMostBytes : body_.backend->block_bytes();
    const std::int64_t most = wants_lanes_ ? kCacheBytes / std::max<std::int64_t>(1, row)
                                           : bytes / std::max<std::int64_t>(1, temporary);
    const std::int64_t at_once = session_ == nullptr ? kMostRows : rows_;
    if (wants_lanes_ || rows_ > most) block_ = even_block(std::clamp(most, kLeastRows, at_once));
    return {};
  }

  // Blocks of about one length. None has one row alone: it would be without a stride between rows,
  // by which kernels choose the form that all blocks share.
  std::int64_t even_block(std::int64_t most) const {
    std::int64_t blocks = ceil_div(rows_, most);
    if (blocks > 1 && wants_lanes_) {
      // Blocks that are a little larger do less harm than more of them.
      const std::int64_t fewer = blocks / kTogether * kTogether;
      blocks = fewer * 5 / 4 >= blocks ? fewer : round_up(blocks, kTogether);
    }
    std::int64_t block = std::max(round_up(ceil_div(rows_, blocks), kTileRows), kLeastRows);
    while (rows_ % block == 1) block += kTileRows;
    return std::min(block, rows_);
  }

  static std::int64_t bytes_of(const Layout& layout) {
    return layout.size() * static_cast<std::int64_t>(size_of(layout.dtype));
  }

  // Of one row.
  Status temporary_bytes(std::int64_t& bytes) const {
    const std::int64_t sample = std::min<std::int64_t>(rows_, 64);
    Frame frame(body_);
    std::vector<Layout> layouts = inputs_;
    std::vector<Source> sources;
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      if (cut_[i] >= 0) layouts[i].shape[cut_[i]] = sample;
      sources.push_back({.shape = layouts[i].shape.data(), .strides = layouts[i].strides.data()});
    }
    frame.take(sources);
    const Segment& segment = body_.schedule.segments.front();
    if (const Status status = frame.settle(segment); !status.ok()) return status;
    for (const int id : segment.slots) bytes += bytes_of(frame.layouts()[id]);
    bytes /= sample;
    return {};
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
      if (lane == 0 && blocks_ > 1) find_talents();
      for (const Adder& adder : adders_) lanes_[lane]->context().let_add(adder.step, true);
      if (lane > 0) continue;
      cost_ = lanes_[0]->context().cost() * static_cast<double>(blocks_);
      if (wants_lanes_) {
        const auto wanted = static_cast<std::int64_t>(cost_ / kLaneNanoseconds);
        const std::int64_t even = wanted > 1 ? round_up(wanted, kTogether) : 1;
        count = std::min({even, kMostLanes, blocks_});
      }
    }
    // The last block may be shorter.
    if (blocks_ == 1) return {};
    const Lane& last = *lanes_.back();
    const Status status = prepare(*lanes_.back(), rows_ - (blocks_ - 1) * block_);
    return !status.ok() || has_talents(last)
               ? status
               : Status::bad_plan("[by_rows] blocks must be computed in one form");
  }

  void plan_sums() {
    sums_.clear();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (is_sum_[i] == 0) continue;
      const auto adder = std::ranges::find(adders_, i, &Adder::output);
      sums_.append(i, outputs_[i], adder == adders_.end() ? nullptr : &*adder);
    }
  }

  // What kernels can do once for all blocks, and which of them add.
  void find_talents() {
    const Context& context = lanes_[0]->context();
    for (int id = 0; id < body_.plan.n_steps(); ++id) {
      const Step& step = body_.plan.step(id);
      const Kernel* kernel = context.kernel(id);
      if (kernel == nullptr) continue;
      for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        const BufferSpec& source = body_.plan.buffer(step.inputs[i]);
        const std::size_t bytes = kernel->prepared_bytes(i);
        const bool is_whole = source.kind == BufferKind::kInput && cut_[source.number] < 0;
        if (bytes != 0 && is_whole) prepared_.push_back({id, i, source.number, bytes});
      }
      const auto output = std::ranges::find(body_.plan.outputs, step.outputs[0]);
      const auto number = static_cast<std::size_t>(output - body_.plan.outputs.begin());
      const bool is_sum =
          output != body_.plan.outputs.end() && is_sum_[number] != 0 && !is_read(step.outputs[0]);
      const std::size_t bytes = is_sum ? kernel->sum_bytes() : 0;
      const bool adds = is_sum && kernel->adds_to_output();
      if (bytes != 0 || adds) adders_.push_back({id, number, bytes});
    }
    plan_sums();
  }

  bool is_read(int buffer) const {
    return std::ranges::any_of(body_.schedule.readers[buffer],
                               [&](int step) { return step < body_.plan.n_steps(); });
  }

  bool has_talents(const Lane& lane) const {
    const Context& context = lane.context();
    const auto prepares = [&](const Prepared& part) {
      return context.kernel(part.step)->prepared_bytes(part.input) == part.bytes;
    };
    const auto adds = [&](const Adder& adder) {
      const Kernel* kernel = context.kernel(adder.step);
      return kernel->sum_bytes() == adder.bytes && kernel->adds_to_output() == (adder.bytes == 0);
    };
    return std::ranges::all_of(prepared_, prepares) && std::ranges::all_of(adders_, adds);
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
    for (const Prepared& part : prepared_) {
      lanes_[0]->context().kernel(part.step)->prepare(args.inputs[part.number], memory);
      for (const auto& lane : lanes_) lane->context().hand(part.step, memory);
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
    sums_.start(total);
    sums_.share(lane.scratch(), total);
    for (std::int64_t block = first; block < last; ++block) {
      Targets& targets = block == first ? total : lane.scratch();
      for (const Adder& adder : adders_) {
        lane.context().let_add(adder.step, adder.bytes != 0 || block > first);
      }
      if (wants_lanes_) rows_ahead_.let_fetch(lane.context(), number, block);
      const std::int64_t row = block * block_;
      for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (is_sum_[i] == 0) targets[i] = args.outputs[i] + row * outputs_[i].strides[0];
      }
      const Status status = lane.run(args.inputs, row, std::min(block_, rows_ - row), targets);
      if (!status.ok()) return finished(lane, row, status);
      if (block == first) continue;
      if (const Status added = add_block(total, targets); !added.ok()) return added;
    }
    return {};
  }

  Status add_block(const Targets& total, const Targets& block) const {
    if (session_ == nullptr) {
      sums_.add_block(total, block);
      return {};
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (is_sum_[i] == 0) continue;
      const Layout& sum = outputs_[i];
      const Status status = session_->add(block[i], total[i], sum.dtype, sum.size());
      if (!status.ok()) return status;
    }
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

  const Program& body_;
  Session* session_;  // null for a body on the host
  std::vector<std::int64_t> cut_;
  std::vector<std::int64_t> is_sum_;
  std::vector<Layout> inputs_;
  std::vector<Layout> outputs_;
  Sums sums_;
  std::vector<Prepared> prepared_;
  std::vector<Adder> adders_;
  RowsAhead rows_ahead_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::array<std::atomic<bool>, kMostLanes> one_has_come_{};  // of a lane and its neighbour
  std::int64_t rows_ = 0;
  std::int64_t block_ = 0;
  std::int64_t blocks_ = 1;
  std::int64_t run_ = kRun;
  bool wants_lanes_ = false;
  double cost_ = 0;
};

}  // namespace

void verify_by_rows(const std::string& where, const StepSpec& spec, const Program& body) {
  const auto require = [&](bool holds, const char* text) {
    if (!holds) throw PlanError(where + " " + text);
  };
  const Plan& plan = body.plan;
  const std::size_t inputs = plan.input_buffers.size();
  require(plan.state_buffers.empty() && plan.updates.empty() && body.schedule.segments.size() == 1,
          "must run a body without states or sizes that its steps compute");
  require(std::ranges::none_of(plan.steps, [](const Step& s) { return s.kind == StepKind::kHost; }),
          "must run a body without host steps");
  require(spec.input_dtypes.size() == inputs && spec.output_dtypes.size() == plan.outputs.size() &&
              spec.ints.size() == inputs + plan.outputs.size(),
          "must have an operand for each input and output of its body, and an int");
  require(std::any_of(spec.ints.begin(), spec.ints.begin() + std::ssize(plan.input_buffers),
                      [](std::int64_t axis) { return axis >= 0; }),
          "must cut some operand");
  for (std::size_t i = 0; i < inputs; ++i) {
    const BufferSpec& input = plan.buffer(plan.input_buffers[i]);
    require(input.dtype == spec.input_dtypes[i] && input.ndim() == spec.input_ndims[i],
            "must have operands as its body's inputs");
    require(spec.ints[i] >= -1 && spec.ints[i] < input.ndim(), "must cut operands along an axis");
  }
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    const BufferSpec& output = plan.buffer(plan.outputs[i]);
    require(output.dtype == spec.output_dtypes[i] && output.ndim() == spec.output_ndims[i],
            "must have outputs as its body's");
    const bool is_sum = spec.ints[inputs + i] != 0;
    const bool can_add = output.dtype != DType::kBool && add_of(output.dtype) != nullptr;
    require(is_sum ? can_add : output.ndim() > 0, "must add numbers, or put rows below each other");
  }
}

std::unique_ptr<Kernel> make_by_rows(const StepSpec& spec, const Program& body, Session* session) {
  return std::make_unique<ByRows>(spec, body, session);
}

}  // namespace arignote
