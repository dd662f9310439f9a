#include "backend/row_block.hpp"

#include <algorithm>
#include <array>

#include "backend/device.hpp"
#include "backend/row_block_plan.hpp"
#include "backend/session.hpp"
#include "backend/step_group.hpp"
#include "core/buffer.hpp"
#include "runtime/device_memory.hpp"

namespace arignote::device {
namespace {

constexpr double kNanoseconds = 10'000;

class RowBlock final : public Kernel {
 public:
  RowBlock(const StepSpec& step, const Program& body, Device& device)
      : step_(step), body_(body), device_(device) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    return plan_.make(step_, body_, inputs, outputs, device_.shared_bytes());
  }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(plan_.args.chunks * plan_.args.partial_step);
  }
  double cost() const override { return kNanoseconds; }

  Status enter(Session& session) noexcept override {
    memory_ = DeviceMemory(&device_);
    std::size_t bytes = 0;
    for_each_table([&](const auto& table, auto*&) { bytes += bytes_of(table); });
    if (!memory_.reserve(bytes)) return Status::out_of_memory(-1);
    plan_.args.tables = memory_.data();
    plan_.args.table_bytes = static_cast<std::int64_t>(bytes);
    Status status;
    std::byte* at = memory_.data();
    for_each_table([&](const auto& table, auto*& where) {
      where = reinterpret_cast<std::remove_reference_t<decltype(where)>>(at);
      if (status.ok()) {
        status = session.upload(reinterpret_cast<const std::byte*>(table.data()), at,
                                table.size() * sizeof(table[0]));
      }
      at += bytes_of(table);
    });
    return status;
  }

  // Whatever lies in memory is found in one way.
  bool reads_windows(std::size_t /*input*/) const override { return true; }

  Status run(const RunArgs& args) noexcept override {
    std::size_t taken = 0;
    return run_with(args, {}, taken);
  }

  Status run_with(const RunArgs& args, std::span<const Work> next,
                  std::size_t& taken) noexcept override {
    DeviceSession& session = session_of(args);
    RowBlockArgs& own = plan_.args;
    std::byte** pointer = std::ranges::copy(args.inputs, own.pointers).out;
    pointer = std::ranges::copy(args.outputs, pointer).out;
    for (const DeviceMemory& constant : body_.constants) *pointer++ = constant.data();
    own.turn = args.turn;
    std::ranges::fill(own.offsets, nullptr);
    std::ranges::transform(args.windows, own.offsets, &WindowOffsets::by_turn);
    for (std::size_t i = 0; i < plan_.streams.size(); ++i) {
      own.pieces[i] = piece_of(plan_.streams[i], args.windows);
    }
    own.partial = args.workspace;
    own.fault = session.fault();
    own.origin = session.origin();
    if (own.may_fail) session.expect_fault();
    RowFinish finish{};
    if (!session.waits_for_steps()) take_finish(next, finish);
    taken = static_cast<std::size_t>(finish.programs.count);
    return status_of(launch_row_block(own, finish, session.stream()));
  }

 private:
  template <class Table>
  static std::size_t bytes_of(const Table& table) {
    return align_up(table.size() * sizeof(table[0]));
  }
  // visit(table, where the kernel finds it).
  template <class Visit>
  void for_each_table(Visit&& visit) {
    RowBlockArgs& args = plan_.args;
    visit(plan_.steps, args.steps);
    visit(plan_.operands, args.operands);
    visit(plan_.operations, args.operations);
    visit(plan_.reductions, args.reductions);
    visit(plan_.factors, args.factors);
    visit(plan_.streams, args.streams);
    visit(plan_.sums, args.sums);
  }
  // Steps that work on sums element by element, as far as they follow one another.
  void take_finish(std::span<const Work> next, RowFinish& finish) const {
    StepGroup group;
    group.use(plan_.args.partial, workspace_bytes());
    for (const RowSum& sum : plan_.sums) {
      const std::size_t bytes = static_cast<std::size_t>(sum.count) * size_of(sum.to);
      group.begin_chain(plan_.args.pointers[sum.pointer], bytes, sum.count);
    }
    for (const Work& work : next) {
      int& count = finish.programs.count;
      const std::optional<SmallStep> step = small_step(work);
      const std::optional<int> chain = step ? group.add(*step) : std::nullopt;
      if (!chain || *chain >= plan_.args.n_sums || count == kMostSmallPrograms) return;
      finish.sums[count] = *chain;
      finish.programs.items[count++] = step->program;
    }
  }

  // What all rows of a stream begin at a multiple of, and consist of.
  int piece_of(const RowStream& s, std::span<const WindowOffsets> windows) const {
    if (s.columns > 1 && s.column_step != s.item) return 0;
    const auto first = static_cast<std::uint64_t>(
        reinterpret_cast<std::uintptr_t>(plan_.args.pointers[s.pointer]) +
        static_cast<std::uint64_t>(s.offset));
    auto bits = first | static_cast<std::uint64_t>(s.row_step) |
                static_cast<std::uint64_t>(s.columns * s.item);
    const auto number = static_cast<std::size_t>(s.pointer);
    if (number < windows.size() && windows[number].by_turn != nullptr) bits |= windows[number].item;
    for (const int piece : {16, 8, 4}) {
      if (bits % static_cast<std::uint64_t>(piece) == 0) return piece;
    }
    return 0;
  }

  const StepSpec& step_;
  const Program& body_;
  Device& device_;
  RowBlockPlan plan_;
  DeviceMemory memory_;
};

}  // namespace

std::unique_ptr<Kernel> make_row_block(const StepSpec& step, const Program& body, Device& device) {
  return std::make_unique<RowBlock>(step, body, device);
}

}  // namespace arignote::device
