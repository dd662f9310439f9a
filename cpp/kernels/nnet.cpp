// softmax and log_softmax over the last axis.
//
//   softmax      x -> out    e / sum(e), e = exp(x - max(x))
//   log_softmax  x -> out    x - max(x) - log(sum(exp(x - max(x))))
//
// A row is summed in blocks of a fixed length, each relative to its own maximum: so a block is read
// once from memory, and a very long row can be shared by several tasks.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "kernels/softmax_rows.hpp"
#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

constexpr std::int64_t kBlockLength = 8192;  // input and output together fit an L1 cache or nearly
constexpr std::int64_t kTaskElements = 1 << 15;
constexpr std::int64_t kGroup = 64;  // short rows whose sums are on the stack together
constexpr std::int64_t kRowsToShareOut = 8;  // with fewer long rows, their blocks are the tasks

// exp(max - total_max), by which what is relative to max becomes relative to total_max. NaN for
// equal infinities, as in the formula.
double weight(double max, double total_max) noexcept {
  const double difference = max - total_max;
  return difference == 0.0 ? 1.0 : std::exp(difference);
}

ExpSum total_of(const ExpSum* sums, std::int64_t blocks) noexcept {
  ExpSum total{.max = -std::numeric_limits<double>::infinity(), .sum = 0.0};
  for (std::int64_t i = 0; i < blocks; ++i) total.max = std::max(total.max, sums[i].max);
  for (std::int64_t i = 0; i < blocks; ++i) {
    total.sum += sums[i].sum * weight(sums[i].max, total.max);
  }
  return total;
}

// Where rows whose elements have gaps are gathered before the work.
enum class Staging { kNone, kOut, kWorkspace };

class Softmax final : public Kernel {
 public:
  Softmax(const StepSpec& spec, bool log)
      : log_(log),
        shares_(overwrites(spec, 0)),
        item_(static_cast<std::int64_t>(size_of(spec.output_dtypes[0]))),
        functions_(softmax_rows(spec.output_dtypes[0])),
        gather_(Update::kSet, spec.output_dtypes[0]),
        scatter_(Update::kSet, spec.output_dtypes[0]) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& x = inputs[0];
    const Layout& out = outputs[0];
    if (!same_shape(x, out) || (shares_ && !same_layout(x, out))) {
      return Status::bad_plan("[softmax] x and out must have the same shape");
    }
    length_ = x.shape[static_cast<std::size_t>(x.ndim - 1)];
    blocks_ = length_ > 0 ? (length_ - 1) / kBlockLength + 1 : 0;
    count_ = length_ > 0 ? x.size() / length_ : 0;
    plan_staging(x, out);
    return {};
  }
  std::size_t workspace_bytes() const override {
    return sums_bytes() + (staging_ == Staging::kWorkspace ? rows_bytes() : 0);
  }
  double cost() const override {
    return 20.0 + static_cast<double>(count_) * 20.0 + static_cast<double>(count_ * length_);
  }

  Status run(const RunArgs& args) noexcept override {
    Run run{args.inputs[0], args.outputs[0], reinterpret_cast<ExpSum*>(args.workspace)};
    if (staging_ == Staging::kWorkspace) run.out = args.workspace + sums_bytes();
    if (staging_ != Staging::kNone) {
      gather_.run(run.out, run.x);
      run.x = run.out;
    }
    if (blocks_ <= 1) {
      run_short_rows(run);
    } else {
      run_long_rows(run);
    }
    if (staging_ == Staging::kWorkspace) scatter_.run(args.outputs[0], run.out);
    return {};
  }

 private:
  struct Run {
    const std::byte* x;
    std::byte* out;
    ExpSum* sums;  // of each block of each row, when rows have several
  };

  std::size_t sums_bytes() const {
    return blocks_ > 1 ? static_cast<std::size_t>(count_ * blocks_) * sizeof(ExpSum) : 0;
  }
  std::size_t rows_bytes() const { return static_cast<std::size_t>(count_ * length_ * item_); }

  bool dense_rows(const Layout& layout) const {
    const auto last = static_cast<std::size_t>(layout.ndim - 1);
    for (std::size_t axis = 0; axis < last; ++axis) {
      if (layout.strides[axis] % item_ != 0) return false;
    }
    return layout.shape[last] <= 1 || layout.strides[last] == item_;
  }

  void plan_staging(const Layout& x, const Layout& out) {
    Layout staged = out;
    std::int64_t stride = item_;
    for (std::size_t axis = static_cast<std::size_t>(out.ndim); axis-- > 0;) {
      staged.strides[axis] = stride;
      stride *= out.shape[axis];
    }
    staging_ = dense_rows(x) && dense_rows(out) ? Staging::kNone
               : out.contiguous() && !shares_   ? Staging::kOut
                                                : Staging::kWorkspace;
    gather_.plan(staged, x);
    scatter_.plan(out, staged);
    rows_.ndim = 0;
    for (std::size_t axis = 0; axis + 1 < static_cast<std::size_t>(out.ndim); ++axis) {
      const bool in_place = staging_ == Staging::kNone;
      const Layout& from = in_place ? x : staged;
      const Layout& to = in_place ? out : staged;
      rows_.add(out.shape[axis], {from.strides[axis], to.strides[axis]});
    }
    rows_.join();
  }

  void run_short_rows(const Run& run) const noexcept {
    const std::int64_t grain =
        std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, length_));
    parallel_ranges(count_, grain, [&](std::int64_t first, std::int64_t last) {
      for_each_run(rows_, first, last, [&](const auto& offsets, std::int64_t count) {
        RowBlock block{.x = run.x + offsets[0],
                       .x_stride = rows_.run_stride(0),
                       .out = run.out + offsets[1],
                       .out_stride = rows_.run_stride(1),
                       .rows = 0,
                       .length = length_};
        for (std::int64_t row = 0; row < count; row += kGroup) {
          block.rows = std::min(kGroup, count - row);
          run_group(block);
          block.x += block.rows * block.x_stride;
          block.out += block.rows * block.out_stride;
        }
      });
    });
  }

  void run_group(const RowBlock& block) const noexcept {
    if (!log_) return functions_.softmax(block, nullptr, nullptr);
    ExpSum sums[kGroup];
    functions_.sums(block, sums);
    functions_.log_sums(sums, block.rows);
    functions_.shift(block, sums);
  }

  void run_long_rows(const Run& run) const noexcept {
    if (count_ >= kRowsToShareOut) {
      const auto run_row = [&](std::int64_t row) {
        for (std::int64_t block = 0; block < blocks_; ++block) start_block(run, row, block);
        const ExpSum total = total_of(run.sums + row * blocks_, blocks_);
        for (std::int64_t block = 0; block < blocks_; ++block) end_block(run, row, block, total);
      };
      parallel_for(count_, run_row, cost() / static_cast<double>(count_));
      return;
    }
    parallel_for(count_ * blocks_,
                 [&](std::int64_t task) { start_block(run, task / blocks_, task % blocks_); });
    parallel_for(count_ * blocks_, [&](std::int64_t task) {
      const std::int64_t row = task / blocks_;
      end_block(run, row, task % blocks_, total_of(run.sums + row * blocks_, blocks_));
    });
  }

  RowBlock block_of(const Run& run, std::int64_t row, std::int64_t block) const noexcept {
    RowBlock found{};
    const std::int64_t start = block * kBlockLength;
    for_each_run(rows_, row, row + 1, [&](const auto& offsets, std::int64_t) {
      found = {.x = run.x + offsets[0] + start * item_,
               .x_stride = 0,
               .out = run.out + offsets[1] + start * item_,
               .out_stride = 0,
               .rows = 1,
               .length = std::min(kBlockLength, length_ - start)};
    });
    return found;
  }

  void start_block(const Run& run, std::int64_t row, std::int64_t block) const noexcept {
    ExpSum* sum = run.sums + row * blocks_ + block;
    (log_ ? functions_.sums : functions_.exponentials)(block_of(run, row, block), sum);
  }

  void end_block(const Run& run, std::int64_t row, std::int64_t block,
                 ExpSum total) const noexcept {
    if (log_) {
      total.sum = std::log(total.sum);
      functions_.shift(block_of(run, row, block), &total);
    } else {
      const double factor = weight(run.sums[row * blocks_ + block].max, total.max) / total.sum;
      functions_.scale(block_of(run, row, block), factor);
    }
  }

  bool log_;
  bool shares_;
  std::int64_t item_;
  SoftmaxRows functions_;
  Transfer gather_;
  Transfer scatter_;
  Staging staging_ = Staging::kNone;
  Axes<2> rows_;  // x and out over all axes but the last
  std::int64_t count_ = 0;
  std::int64_t length_ = 0;
  std::int64_t blocks_ = 0;
};

std::unique_ptr<Kernel> make_softmax(const StepSpec& spec, Status& status, bool log) {
  const bool well_formed =
      spec.input_dtypes.size() == 1 && spec.output_dtypes.size() == 1 && spec.input_ndims[0] >= 1 &&
      (spec.input_dtypes[0] == DType::kFloat32 || spec.input_dtypes[0] == DType::kFloat64) &&
      spec.output_dtypes[0] == spec.input_dtypes[0];
  if (!well_formed) {
    status = Status::bad_plan("[softmax] x and out float32 or float64, with an axis at least");
    return nullptr;
  }
  return std::make_unique<Softmax>(spec, log);
}

constexpr KernelEntry kEntries[] = {
    {"softmax",
     [](const StepSpec& spec, Status& status) { return make_softmax(spec, status, false); }},
    {"log_softmax",
     [](const StepSpec& spec, Status& status) { return make_softmax(spec, status, true); }}};

}  // namespace

std::span<const KernelEntry> nnet_kernels() { return kEntries; }

}  // namespace arignote
