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
#include "core/buffer.hpp"
#include "core/division.hpp"
#include "kernels/dot.hpp"
#include "kernels/round.hpp"

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
    blas_sums_.reset();
    if (blas_ && has_sum_form()) blas_sums_.emplace().plan(a, b, DType::kFloat32, false);
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
    const Device& device = static_cast<DeviceSession&>(session).device();
    try {
      Status status;
      if (blas_) status = blas_->choose(device);
      if (blas_sums_ && status.ok()) status = blas_sums_->choose(device);
      return status;
    } catch (...) {
      return Status::out_of_memory(-1);
    }
  }
  Status run(const RunArgs& args) noexcept override {
    const DeviceSession& session = session_of(args);
    std::byte* const out = args.sum != nullptr ? args.sum : args.outputs[0];
    const std::optional<BlasProduct>& blas = args.sum != nullptr ? blas_sums_ : blas_;
    if (blas && blas->can_run(args, out)) return blas->run(args, out, session.stream());
    args_.a.data = args.inputs[0];
    args_.b.data = args.inputs[1];
    args_.out = out;
    args_.partial = args.workspace;
    args_.fault = session.fault();
    args_.adds = args.adds;
    DotTypes types = types_;
    if (args.sum != nullptr) types.out = DType::kFloat32;
    return status_of(launch_dot(args_, types, session.stream()));
  }
  SumForm sum_form() const override {
    return {has_sum_form() ? align_up(static_cast<std::size_t>(results()) * sizeof(float)) : 0,
            DType::kFloat32};
  }
  Status finish(const std::byte* sum, std::byte* output, Session* session) noexcept override {
    const auto& own = static_cast<DeviceSession&>(*session);
    const RoundArgs round{.from = sum, .to = output, .fault = own.fault(), .count = results()};
    return status_of(launch_round(round, types_.out, own.stream()));
  }
  bool adds_to_output() const override { return true; }

 private:
  // Sums of halves are rounded when they are complete.
  bool has_sum_form() const { return is_half(types_.out); }
  std::int64_t results() const { return args_.a.lines * args_.b.lines; }

  DotArgs args_{};
  DotTypes types_;
  bool may_use_tf32_;
  std::optional<BlasProduct> blas_;
  std::optional<BlasProduct> blas_sums_;  // of halves, as float32
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
