#include "backend/program_code.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "kernels/scalar_ops.cuh"

namespace arignote::device {
namespace {

std::optional<ScalarOp> scalar_op(std::string_view name) {
  static constexpr std::array kNames = {
#define ARN_ENTRY(name) std::string_view(#name),
      ARN_SCALAR_OPS(ARN_ENTRY)
#undef ARN_ENTRY
  };
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<ScalarOp>(found - kNames.begin());
}

// What bool has other operations for.
std::string_view name_for(std::string_view name, DType dtype) {
  if (dtype != DType::kBool) return name;
  if (name == "add") return "or_";
  if (name == "mul") return "and_";
  return name;
}

class Writer {
 public:
  Writer(const ElementwiseProgram& program, ProgramCode& code) : program_(program), code_(code) {}

  Status write() {
    find_last_uses();
    slot_of_.assign(program_.dtypes.size(), kNoSlot);
    int operand = program_.n_inputs;
    for (const ProgramOutput& output : program_.outputs) {
      operand_of_.push_back(output.reduction == nullptr ? operand++ : kNoSlot);
    }
    if (operand > kMostOperands) return Status::bad_plan("there must be fewer operands");
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      if (!is_needed_[program_.register_of(i)]) continue;
      if (const Status status = instruction(i); !status.ok()) return status;
    }
    for (const ProgramOutput& output : program_.outputs) {
      code_.result_slots.push_back(slot_with(output.reg));
    }
    for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
      if (program_.outputs[i].reduction == nullptr) store(i, code_.result_slots[i]);
    }
    return code_.n_slots <= kMostSlots ? Status{}
                                       : Status::bad_plan("fewer values must be alive at a time");
  }

 private:
  static constexpr int kNoSlot = -1;
  static constexpr int kNever = -1;

  // Values that are outputs stay to the end, where they are stored: an output may lie over an input
  // that is still to be read.
  void find_last_uses() {
    last_use_.assign(program_.dtypes.size(), kNever);
    is_needed_.assign(program_.dtypes.size(), false);
    const int end = static_cast<int>(program_.instructions.size());
    for (const ProgramOutput& output : program_.outputs) use(output.reg, end);
    for (int i = end - 1; i >= 0; --i) {
      if (!is_needed_[program_.register_of(static_cast<std::size_t>(i))]) continue;
      const Instruction& instruction = program_.instructions[static_cast<std::size_t>(i)];
      for (int k = 0; k < instruction.op->arity; ++k) use(instruction.sources[k], i);
    }
  }

  void use(int reg, int number) {
    is_needed_[reg] = true;
    last_use_[reg] = std::max(last_use_[reg], number);
  }

  int take_slot() {
    if (!free_.empty()) {
      const int slot = free_.back();
      free_.pop_back();
      return slot;
    }
    return code_.n_slots++;
  }

  // Inputs are loaded when they are needed first.
  int slot_with(int reg) {
    if (slot_of_[reg] == kNoSlot) {
      slot_of_[reg] = take_slot();
      code_.operations.push_back({.kind = Operation::Kind::kLoad,
                                  .to = program_.dtypes[reg],
                                  .slot = static_cast<std::uint16_t>(slot_of_[reg]),
                                  .a = static_cast<std::uint16_t>(reg)});
    }
    return slot_of_[reg];
  }

  Status instruction(std::size_t number) {
    const Instruction& source = program_.instructions[number];
    const int result = program_.register_of(number);
    Operation operation{.from = source.op->in[0], .to = source.op->out};
    const std::string_view name = name_for(source.op->name, source.op->in[0]);
    if (name == "cast" || name == "identity") {
      operation.kind = Operation::Kind::kCast;
    } else if (name == "switch") {
      operation.kind = Operation::Kind::kSelect;
    } else {
      const auto op = scalar_op(name);
      if (!op) return Status::bad_plan("an operation must be one that the device has");
      operation.kind = Operation::Kind::kCompute;
      operation.op = static_cast<std::uint8_t>(*op);
    }
    std::array<int, 3> slots{};
    for (int k = 0; k < source.op->arity; ++k) slots[k] = slot_with(source.sources[k]);
    for (int k = source.op->arity; k < 3; ++k) slots[k] = slots[0];
    for (int k = 0; k < source.op->arity; ++k) release(source.sources[k], static_cast<int>(number));
    slot_of_[result] = take_slot();
    operation.slot = static_cast<std::uint16_t>(slot_of_[result]);
    operation.a = static_cast<std::uint16_t>(slots[0]);
    operation.b = static_cast<std::uint16_t>(slots[1]);
    operation.c = static_cast<std::uint16_t>(slots[2]);
    code_.operations.push_back(operation);
    return {};
  }

  void release(int reg, int number) {
    if (last_use_[reg] != number) return;
    last_use_[reg] = kNever;  // once, whichever of the operands it is
    free_.push_back(slot_of_[reg]);
  }

  void store(std::size_t output, int slot) {
    code_.operations.push_back({.kind = Operation::Kind::kStore,
                                .from = program_.dtypes[program_.outputs[output].reg],
                                .a = static_cast<std::uint16_t>(operand_of_[output]),
                                .b = static_cast<std::uint16_t>(slot)});
  }

  const ElementwiseProgram& program_;
  ProgramCode& code_;
  std::vector<int> last_use_;    // by register: the instruction
  std::vector<bool> is_needed_;  // by register
  std::vector<int> slot_of_;     // by register
  std::vector<int> operand_of_;  // by output
  std::vector<int> free_;
};

}  // namespace

Reduction reduction_of(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"sum", "prod", "min", "max", "all", "any"};
  return static_cast<Reduction>(std::ranges::find(kNames, name) - kNames.begin());
}

Status write_code(const ElementwiseProgram& program, ProgramCode& code) {
  return Writer(program, code).write();
}

}  // namespace arignote::device
