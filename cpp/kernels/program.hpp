// Elementwise programs: a fused chain of operations, with reductions of its results if need be.
//
//   program        the step, decoded: registers, instructions, outputs
//   program_axes   how the operands are walked: order of axes, tiles, loops
//   program_tile   what is done with one tile: loads, operations, stores, reductions
//   program_single one small tile that is everything
//   program_pass   one walk over the operands, cut into tasks; the kernel is one or a few passes
//
// Encoding: registers 0 … n_inputs-1 are the inputs, then one for each instruction.
//   names = [operation of each instruction, then for each output "" or the name of a reduction]
//   ints  = [n_instructions, then per instruction: out dtype, arity, source registers …,
//            then per output: register, bit mask of reduced axes]
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/block.hpp"
#include "kernels/kernel.hpp"

namespace arignote {

struct Instruction {
  const BlockOp* op = nullptr;
  std::array<int, 3> sources{};  // the first op->arity count
};

struct ProgramOutput {
  int reg = 0;
  const BlockReduction* reduction = nullptr;  // null: elementwise
  std::uint32_t reduced = 0;                  // mask of the axes that are reduced
  std::vector<int> shared;                    // inputs whose memory it overwrites
};

struct ElementwiseProgram {
  int n_inputs = 0;
  int ndim = 0;
  std::vector<DType> dtypes;  // of the registers
  std::vector<bool> constant;  // by input: whether its elements are the same in every run
  std::vector<Instruction> instructions;
  std::vector<ProgramOutput> outputs;

  int register_of(std::size_t instruction) const {
    return n_inputs + static_cast<int>(instruction);
  }
};

// Status is bad_plan where the step is no such program, or names an operation that does not exist.
Status decode(const StepSpec& spec, ElementwiseProgram& program);

// Has products and squares computed by what reads them, where a block operation or a reduction
// does both.
void join_products(ElementwiseProgram& program);

}  // namespace arignote
