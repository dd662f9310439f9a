#include "kernels/program.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace arignote {
namespace {

// float16 and bfloat16 are among them, though they are only converted.
bool has_block_operations(DType dtype) { return dtype <= DType::kFloat64; }

// Takes the integers one after the other; past the end it gives -1, which is valid nowhere.
class Reader {
 public:
  explicit Reader(std::span<const std::int64_t> ints) : ints_(ints) {}

  std::int64_t next() {
    if (ints_.empty()) return -1;
    const std::int64_t value = ints_.front();
    ints_ = ints_.subspan(1);
    return value;
  }
  bool done() const { return ints_.empty(); }
  std::size_t left() const { return ints_.size(); }

 private:
  std::span<const std::int64_t> ints_;
};

class Decoder {
 public:
  Decoder(const StepSpec& spec, ElementwiseProgram& program)
      : spec_(spec), program_(program), ints_(spec.ints) {}

  Status decode() {
    if (const Status status = inputs(); !status.ok()) return status;
    const std::int64_t count = ints_.next();
    if (count < 0 || count > static_cast<std::int64_t>(ints_.left()) ||
        spec_.names.size() != static_cast<std::size_t>(count) + spec_.output_dtypes.size()) {
      return Status::bad_plan("names must be one per instruction and output");
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (const Status status = instruction(spec_.names[i]); !status.ok()) return status;
    }
    for (std::size_t i = 0; i < spec_.output_dtypes.size(); ++i) {
      if (const Status status = output(i, spec_.names[count + i]); !status.ok()) return status;
    }
    return ints_.done() ? Status{} : Status::bad_plan("ints must end with the last output");
  }

 private:
  Status inputs() {
    if (spec_.input_dtypes.empty()) return Status::bad_plan("there must be an input");
    program_.n_inputs = static_cast<int>(spec_.input_dtypes.size());
    program_.ndim = spec_.input_ndims[0];
    program_.dtypes = spec_.input_dtypes;
    program_.constant = spec_.constant_inputs;
    for (std::size_t i = 0; i < spec_.input_dtypes.size(); ++i) {
      if (spec_.input_ndims[i] != program_.ndim) {
        return Status::bad_plan("inputs must have the same number of axes");
      }
      if (!has_block_operations(spec_.input_dtypes[i])) {
        return Status::bad_plan("inputs must be of a dtype that has block operations");
      }
    }
    return {};
  }

  bool take_register(int& reg) {
    const std::int64_t value = ints_.next();
    if (value < 0 || value >= static_cast<std::int64_t>(program_.dtypes.size())) return false;
    reg = static_cast<int>(value);
    return true;
  }

  Status instruction(const std::string& name) {
    const std::int64_t dtype = ints_.next();
    const std::int64_t arity = ints_.next();
    Instruction instruction;
    if (dtype < 0 || dtype >= static_cast<std::int64_t>(std::size(kDTypeNames)) || arity < 1 ||
        arity > static_cast<std::int64_t>(instruction.sources.size())) {
      return Status::bad_plan("an instruction must have a dtype and one to three sources");
    }
    std::array<DType, 3> in{};
    for (std::int64_t i = 0; i < arity; ++i) {
      if (!take_register(instruction.sources[i])) {
        return Status::bad_plan("an instruction must use registers before it");
      }
      in[i] = program_.dtypes[instruction.sources[i]];
    }
    // A source that does not exist is never read, but its address is taken like the others'.
    for (std::size_t i = arity; i < instruction.sources.size(); ++i) {
      instruction.sources[i] = instruction.sources[0];
    }
    const auto out = static_cast<DType>(dtype);
    instruction.op = find_block_op(name, {in.data(), static_cast<std::size_t>(arity)}, out);
    if (instruction.op == nullptr) {
      return Status::bad_plan("an instruction must name a block operation of its dtypes");
    }
    program_.dtypes.push_back(out);
    program_.instructions.push_back(instruction);
    return {};
  }

  Status output(std::size_t number, const std::string& reduction) {
    ProgramOutput output{.shared = spec_.shared_storage[number]};
    if (!take_register(output.reg)) return Status::bad_plan("an output must name a register");
    const std::int64_t mask = ints_.next();
    if (mask < 0 || mask >= std::int64_t{1} << program_.ndim) {
      return Status::bad_plan("a mask must name axes");
    }
    output.reduced = static_cast<std::uint32_t>(mask);
    const DType in = program_.dtypes[output.reg];
    const DType out = spec_.output_dtypes[number];
    if (reduction.empty()) {
      if (mask != 0 || in != out) {
        return Status::bad_plan("an output without a reduction must be its register");
      }
    } else {
      output.reduction = find_reduction(reduction, in, out);
      if (output.reduction == nullptr) {
        return Status::bad_plan("an output must name a reduction of its dtypes");
      }
      if (!output.shared.empty()) {
        return Status::bad_plan("a reduced output must have memory of its own");
      }
    }
    if (spec_.output_ndims[number] != program_.ndim - std::popcount(output.reduced)) {
      return Status::bad_plan("an output must have the axes that are not reduced");
    }
    program_.outputs.push_back(std::move(output));
    return {};
  }

  const StepSpec& spec_;
  ElementwiseProgram& program_;
  Reader ints_;
};

std::vector<int> count_readers(const ElementwiseProgram& program) {
  std::vector<int> readers(program.dtypes.size(), 0);
  for (const Instruction& instruction : program.instructions) {
    for (int i = 0; i < instruction.op->arity; ++i) ++readers[instruction.sources[i]];
  }
  for (const ProgramOutput& output : program.outputs) ++readers[output.reg];
  return readers;
}

void join_squares_with_sums(ElementwiseProgram& program, std::span<const int> readers) {
  for (ProgramOutput& output : program.outputs) {
    if (output.reduction == nullptr || output.reg < program.n_inputs) continue;
    const Instruction& square = program.instructions[output.reg - program.n_inputs];
    if (output.reduction->name != "sum" || square.op->name != "sqr" || readers[output.reg] != 1) {
      continue;
    }
    if (const BlockReduction* const sum = find_square_sum(output.reduction->in)) {
      output.reg = square.sources[0];
      output.reduction = sum;
    }
  }
}

}  // namespace

// A product that one instruction or sum alone reads is computed with it, if there is an operation
// for that: nobody reads it then, and a tile is walked over once less.
void join_products(ElementwiseProgram& program) {
  const std::vector<int> readers = count_readers(program);
  join_squares_with_sums(program, readers);
  for (Instruction& instruction : program.instructions) {
    if (instruction.op->arity != 2) continue;
    for (std::size_t place = 0; place < 2; ++place) {
      const int reg = instruction.sources[place];
      if (reg < program.n_inputs || readers[reg] != 1) continue;
      const Instruction& product = program.instructions[reg - program.n_inputs];
      const bool is_product = product.op->name == "mul" || product.op->name == "sqr";
      const BlockOp* const op =
          is_product ? find_product_op(instruction.op->name, place, product.op->out) : nullptr;
      if (op == nullptr) continue;
      // A square's second source is its first.
      instruction = {op, {product.sources[0], product.sources[1], instruction.sources[1 - place]}};
      break;
    }
  }
}

Status decode(const StepSpec& spec, ElementwiseProgram& program) {
  return Decoder(spec, program).decode();
}

}  // namespace arignote
