#include "backend/row_block_plan.hpp"

#include <algorithm>
#include <bit>
#include <optional>

#include "backend/row_operands.hpp"
#include "backend/row_steps.hpp"
#include "core/division.hpp"
#include "kernels/strided.hpp"

namespace arignote::device {
namespace {

// Rows of a tile. If more than the good number of these fit in what a block gets without asking,
// several blocks share a multiprocessor; with fewer than the least, threads wait for each other too
// often.
constexpr std::int64_t kGoodTile = 16;
constexpr std::int64_t kLeastTile = 4;
// Rows of a chunk come in multiples of so many.
constexpr std::int64_t kChunkRows = 16;

// That of all products.
std::optional<DType> dtype_of(const Plan& body) {
  std::optional<DType> found;
  for (const Step& step : body.steps) {
    if (step.spec.kernel != "dot") continue;
    const DType dtype = step.spec.output_dtypes[0];
    const bool is_real = dtype == DType::kFloat32 || dtype == DType::kFloat64;
    if (!is_real || (found && *found != dtype)) return std::nullopt;
    found = dtype;
  }
  return found;
}

// Whether outputs are what a body says that they are: sums have no rows.
bool fit(const Plan& body, const RowOperands& rows, std::span<const std::int64_t> is_sum,
         std::span<const Layout> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const RowValue& value = rows.value(body.outputs[i]);
    const int row_axis = is_sum[i] != 0 ? kNone : 0;
    if (!value.is_known || value.row_axis != row_axis ||
        !same_layout(rows.layout(body.outputs[i]), outputs[i])) {
      return false;
    }
  }
  return true;
}

// Shared memory: what is held of factors; the sums; a tile's values; what of them is to be reduced;
// the two stages, in whose place faults lie in the end.
class SharedMemory {
 public:
  SharedMemory(const RowOperands& rows, const RowSteps& steps, bool may_fail)
      : rows_(rows), steps_(steps), may_fail_(may_fail) {}

  std::int64_t sums() const { return steps_.factor_bytes; }
  std::int64_t values() const { return sums() + steps_.sum_bytes; }
  std::int64_t scratch(std::int64_t tile) const { return values() + tile * rows_.tile_row(); }
  std::int64_t stages(std::int64_t tile) const { return scratch(tile) + tile * steps_.scratch_row; }
  std::int64_t bytes(std::int64_t tile) const {
    constexpr std::int64_t kFaults = kBlockThreads * std::int64_t{sizeof(RowFault)};
    return stages(tile) + std::max(2 * tile * rows_.stage_row(), may_fail_ ? kFaults : 0);
  }

  // How many rows a tile has; 0 if there is no room for the least of them.
  std::int64_t tile_for(std::int64_t chunk, std::int64_t limit) const {
    const auto rows = static_cast<std::uint64_t>(std::min(chunk, kRowRun));
    auto tile = static_cast<std::int64_t>(std::bit_ceil(rows));
    const std::int64_t good = std::min(limit, static_cast<std::int64_t>(kPlainSharedBytes));
    while (tile > kGoodTile && bytes(tile) > good) tile /= 2;
    while (tile > kLeastTile && bytes(tile) > limit) tile /= 2;
    return bytes(tile) > limit ? 0 : tile;
  }

 private:
  const RowOperands& rows_;
  const RowSteps& steps_;
  bool may_fail_;
};

// Gives what lies in shared memory its place.
void place(RowBlockPlan& plan, RowOperands& rows, const SharedMemory& memory, std::int64_t tile) {
  const auto sums = static_cast<std::int32_t>(memory.sums());
  for (const DraftOperand& draft : rows.drafts()) {
    RowOperand own = draft.operand;
    if (own.place == RowOperand::Place::kTile) own.offset += memory.values() + tile * draft.before;
    if (own.place == RowOperand::Place::kStaged) own.offset += tile * draft.before;
    plan.operands.push_back(own);
  }
  for (RowStream& stream : plan.streams) stream.place *= static_cast<std::int32_t>(tile);
  for (RowSum& sum : plan.sums) sum.held += sums;
  for (RowStep& step : plan.steps) {
    if (step.kind == RowStep::Kind::kOuter) step.held += sums;
  }
  for (RowReduction& reduction : plan.reductions) {
    reduction.scratch = static_cast<std::int32_t>(memory.scratch(tile) + tile * reduction.scratch);
    if (reduction.over_rows) reduction.target += sums;
  }
}

}  // namespace

Status RowBlockPlan::make(const StepSpec& step, const Program& body, std::span<const Layout> inputs,
                          std::span<const Layout> outputs, std::int64_t shared_bytes) {
  *this = {};
  const std::span<const std::int64_t> cut = std::span(step.ints).first(inputs.size());
  const std::span<const std::int64_t> is_sum = std::span(step.ints).subspan(inputs.size());
  const std::optional<DType> dtype = dtype_of(body.plan);
  RowOperands rows(body);
  if (!dtype) return Status::bad_plan("its products are not all of float32, or all of float64");
  if (!rows.find(inputs, cut) || !fit(body.plan, rows, is_sum, outputs)) {
    return Status::bad_plan("what it reads or makes does not lie row by row, or is too much");
  }
  RowSteps made(body, rows, is_sum, *dtype);
  for (int id = 0; id < body.plan.n_steps(); ++id) {
    if (made.add(id)) continue;
    Status refused = Status::bad_plan("the kernel has no such step, or none with so many columns");
    refused.step = id;
    return refused;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (is_sum[i] != 0 && !made.has_sum(body.plan.outputs[i])) {
      return Status::bad_plan("a result over all rows is none of the kernel's sums");
    }
  }
  args.dtype = *dtype;
  args.may_fail = rows.has_indices() || made.has_labels;
  args.rows = rows.rows();
  args.chunk = ceil_div(ceil_div(args.rows, most_row_chunks), kChunkRows) * kChunkRows;
  args.chunks = ceil_div(args.rows, args.chunk);
  const SharedMemory memory(rows, made, args.may_fail);
  const std::int64_t tile = memory.tile_for(args.chunk, shared_bytes);
  if (tile == 0) {
    return Status::bad_plan(
        "the parameters, the sums and four rows do not fit in the shared memory of a block");
  }

  steps = std::move(made.steps);
  operations = std::move(made.operations);
  reductions = std::move(made.reductions);
  factors = std::move(made.factors);
  sums = std::move(made.sums);
  streams = std::move(rows.streams());
  place(*this, rows, memory, tile);
  args.tile = static_cast<std::int32_t>(tile);
  args.shared_bytes = memory.bytes(tile);
  args.held = static_cast<std::int32_t>(memory.sums());
  args.held_bytes = static_cast<std::int32_t>(made.sum_bytes);
  args.stages = static_cast<std::int32_t>(memory.stages(tile));
  args.stage_bytes = static_cast<std::int32_t>(tile * rows.stage_row());
  args.n_results = made.n_results;
  args.partial_step = made.partial_bytes + aligned(sizeof(RowFault));
  args.n_steps = static_cast<int>(steps.size());
  args.n_factors = static_cast<int>(factors.size());
  args.n_streams = static_cast<int>(streams.size());
  args.n_sums = static_cast<int>(sums.size());
  return {};
}

}  // namespace arignote::device
