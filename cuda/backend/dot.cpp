// The kernel "dot" of the device: how a product is cut into tiles, and the depth into chunks; or by
// cuBLASLt, if it is a large one and the library is there.
#include "kernels/dot_shape.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "backend/blas_product.hpp"
#include "backend/session.hpp"
#include "backend/table.hpp"
#include "kernels/dot.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 5000;

// Results that have blocks of their own rather than tiles.
constexpr std::int64_t kFewResults = 32;
constexpr std::int64_t kFewLines = 16;

// How many blocks are enough to keep any device at work, and how long the chunks are that make them
// so many: short ones are more work for who joins their sums, and sums of long ones less exact.
struct Cut {
  std::int64_t blocks;
  std::int64_t least;
  std::int64_t most;
};
constexpr Cut kTiles = {.blocks = 512, .least = 64, .most = 64 * kDotRun};
constexpr Cut kLines = {.blocks = 2048, .least = 8192, .most = kBlockThreads * kDotRun};

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

DotForm form_of(std::int64_t m, std::int64_t n, DType dtype) {
  if (m * n <= kFewResults) return DotForm::kOne;
  if (dtype < DType::kFloat16) return DotForm::kIntegers;
  if (n <= kFewLines) return DotForm::kFewColumns;
  return m <= kFewLines ? DotForm::kFewRows : DotForm::kReals;
}

std::int64_t chunk_of(DotForm form, std::int64_t m, std::int64_t n, std::int64_t k) {
  const Cut& cut = form == DotForm::kOne ? kLines : kTiles;
  const DotTile tile = tile_of(form);
  const std::int64_t tiles =
      std::max<std::int64_t>(1, ceil_div(m, tile.rows) * ceil_div(n, tile.columns));
  const std::int64_t wanted = std::max<std::int64_t>(1, cut.blocks / tiles);
  return std::clamp(ceil_div(k, wanted * cut.least) * cut.least, cut.least, cut.most);
}

// A matrix whose rows are the lines. False if elements lie between the places of elements.
bool plan_operand(const Layout& matrix, DotOperand& operand) {
  const auto item = static_cast<std::int64_t>(size_of(matrix.dtype));
  operand = {.data = nullptr,
             .lines = matrix.shape[0],
             .line_step = matrix.strides[0] / item,
             .depth_step = matrix.strides[1] / item,
             .runs_along_depth = std::abs(matrix.strides[1]) < std::abs(matrix.strides[0])};
  return matrix.strides[0] % item == 0 && matrix.strides[1] % item == 0;
}

class Dot final : public Kernel {
 public:
  explicit Dot(bool may_use_tf32) : may_use_tf32_(may_use_tf32) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    DotOperands operands;
    const Status status = dot_operands(inputs, outputs[0], operands);
    if (!status.ok()) return status;
    const auto& [a, b] = operands;
    args_ = {};
    if (!plan_operand(a, args_.a) || !plan_operand(transposed(b), args_.b)) {
      return Status::bad_plan("[dot] strides must be whole numbers of elements");
    }
    types_ = {.a = a.dtype, .b = b.dtype, .out = outputs[0].dtype};
    args_.depth = a.shape[1];
    args_.form = form_of(args_.a.lines, args_.b.lines, types_.b);
    args_.chunk = chunk_of(args_.form, args_.a.lines, args_.b.lines, args_.depth);
    args_.chunks = std::max<std::int64_t>(1, ceil_div(args_.depth, args_.chunk));
    if (!blas_.emplace().plan(a, b, types_.out, may_use_tf32_)) blas_.reset();
    return {};
  }
  // One of the two is used, which is known when the addresses are.
  std::size_t workspace_bytes() const override {
    const std::int64_t sums = args_.chunks == 1 ? 0 : args_.chunks * args_.a.lines * args_.b.lines;
    const std::size_t own = static_cast<std::size_t>(sums) * partial_bytes(args_.form, types_.b);
    return blas_ ? std::max(own, blas_->workspace_bytes()) : own;
  }
  double cost() const override { return kNanoseconds; }
  Status enter(Session& session) noexcept override {
    if (!blas_) return {};
    try {
      return blas_->choose(static_cast<DeviceSession&>(session).device());
    } catch (...) {
      return Status::out_of_memory(-1);
    }
  }
  Status run(const RunArgs& args) noexcept override {
    const DeviceSession& session = session_of(args);
    if (blas_ && blas_->can_run(args)) return blas_->run(args, session.stream());
    args_.a.data = args.inputs[0];
    args_.b.data = args.inputs[1];
    args_.out = args.outputs[0];
    args_.partial = args.workspace;
    args_.fault = session.fault();
    args_.adds = args.adds;
    return status_of(launch_dot(args_, types_, session.stream()));
  }
  bool adds_to_output() const override { return true; }

 private:
  DotArgs args_{};
  DotTypes types_;
  bool may_use_tf32_;
  std::optional<BlasProduct> blas_;
};

std::unique_ptr<Kernel> make_dot(const StepSpec& spec, Status& status) {
  if (is_dot(spec)) return std::make_unique<Dot>(may_use_tf32(spec));
  status = Status::bad_plan("[dot] a, b of rank 1 or 2, and out, all of one number dtype");
  return nullptr;
}

constexpr KernelEntry kDot[] = {{"dot", make_dot}};

}  // namespace

std::span<const KernelEntry> dot_kernels() { return kDot; }

}  // namespace arignote::device
