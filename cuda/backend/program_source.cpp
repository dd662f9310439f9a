#include "backend/program_source.hpp"

#include <algorithm>
#include <array>
#include <locale>
#include <sstream>
#include <string_view>

#include "core/dtype.hpp"
#include "kernels/scalar_ops.cuh"

namespace arignote::device {
namespace {

// What a thread reads of an operand at once, and how many elements and operations it has at most:
// beyond that, source takes long to compile.
constexpr std::int64_t kVectorBytes = 16;
constexpr std::int64_t kMostCount = 8;
constexpr std::int64_t kMostOperations = 256;
// Elements of a reduction that a thread reads at a time: one is too few to keep memory busy.
constexpr std::int64_t kMostUnrolled = 8;
// And blocks of a multiprocessor for whose registers there has to be room. For more of them the
// compiler has fewer elements read at a time.
constexpr int kReducingBlocks = 4;

std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << "DType{" << static_cast<int>(dtype) << "}";
}

std::ostream& operator<<(std::ostream& out, ScalarOp op) {
  static constexpr std::array kNames = {
#define ARN_ENTRY(name) std::string_view(#name "_op"),
      ARN_SCALAR_OPS(ARN_ENTRY)
#undef ARN_ENTRY
  };
  return out << "ScalarOp::" << kNames[static_cast<std::size_t>(op)];
}

struct Slot {
  int number;
};

std::ostream& operator<<(std::ostream& out, Slot slot) { return out << "s[" << slot.number << "]"; }

class Writer {
 public:
  Writer(const ProgramCode& code, const ProgramAxes& axes, const std::vector<ReducedValue>& reduced)
      : code_(code), axes_(axes), reduced_(reduced) {
    out_.imbue(std::locale::classic());
    for (const Operation& o : code.operations) {
      if (o.kind == Operation::Kind::kLoad) read_.push_back({o.a, o.to});
      if (o.kind == Operation::Kind::kStore) written_.push_back({o.a, o.from});
    }
    count_ = reduced.empty() ? vector_count() : 1;
  }

  ProgramSource write() {
    constexpr std::int64_t kShort = std::int64_t{1} << 32;
    out_ << "#include \"kernels/elementwise.cuh\"\n"
            "namespace arignote::device {\n"
            "struct Program {\n"
            "  using Index = "
         << (axes_.count() < kShort ? "std::uint32_t" : "std::int64_t") << ";\n";
    constant("kCount", count_);
    constant("kUnrolled",
             std::clamp<std::int64_t>(kMostOperations / n_operations(), 1, kMostUnrolled));
    constant("kMostAxes", n_axes());
    constant("kSlots", std::max(1, code_.n_slots));
    out_ << "  ARN_DEVICE static int ndim(const ProgramArgs&) { return kMostAxes; }\n"
            "  ARN_DEVICE static int border(const ProgramArgs&) { return "
         << axes_.border << "; }\n";
    write_evaluate();
    if (!reduced_.empty()) write_reduced();
    out_ << "};\n";
    write_kernel();
    out_ << "}\n";
    return {out_.str(), static_cast<int>(count_)};
  }

 private:
  struct Operand {
    int number;
    DType dtype;
  };

  void constant(const char* name, std::int64_t value) {
    out_ << "  static constexpr int " << name << " = " << value << ";\n";
  }

  std::int64_t n_operations() const { return static_cast<std::int64_t>(code_.operations.size()); }
  std::int64_t n_axes() const { return static_cast<std::int64_t>(axes_.lengths.size()); }
  std::int64_t last_stride(const Operand& operand) const {
    return axes_.strides[operand.number].back();
  }
  bool is_repeated(const Operand& operand) const { return last_stride(operand) == 0; }
  bool is_dense(const Operand& operand) const {
    return last_stride(operand) == static_cast<std::int64_t>(size_of(operand.dtype));
  }

  // How many neighbours along the last axis a thread takes: only those of which each operand has
  // either as many without gaps or one.
  std::int64_t vector_count() const {
    std::int64_t widest = 1;
    for (const auto& operands : {read_, written_}) {
      for (const Operand& operand : operands) {
        if (is_repeated(operand)) continue;
        if (!is_dense(operand)) return 1;
        widest = std::max(widest, static_cast<std::int64_t>(size_of(operand.dtype)));
      }
    }
    const std::int64_t count = std::min(kMostCount, kVectorBytes / widest);
    const bool is_long = n_axes() == 1 || axes_.lengths.back() % count == 0;
    return is_long && n_operations() * count <= kMostOperations ? count : 1;
  }

  // All operands are read before any is written, which may lie in the same memory.
  void write_evaluate() {
    out_ << "  ARN_DEVICE static void evaluate(const ProgramArgs& p, const Place<Program>& place, "
            "int left, Bits (&s)[kSlots]) {\n";
    for (const Operand& operand : read_) {
      declare(operand);
      move("read", operand);
    }
    for (const Operand& operand : written_) declare(operand);
    out_ << "    ARN_UNROLL\n"
            "    for (int i = 0; i < kCount; ++i) {\n";
    for (const Operation& operation : code_.operations) write_operation(operation);
    out_ << "    }\n";
    for (const Operand& operand : written_) move("write", operand);
    out_ << "  }\n";
  }

  void declare(const Operand& operand) {
    out_ << "    Elements<" << (is_repeated(operand) ? 1 : count_) << ", " << size_of(operand.dtype)
         << "> x" << operand.number << ";\n";
  }

  void move(const char* how, const Operand& operand) {
    out_ << "    x" << operand.number << "." << how << "(place.in(p, " << operand.number;
    if (is_repeated(operand) || is_dense(operand)) out_ << ", " << last_stride(operand);
    out_ << "), left);\n";
  }

  void element(const Operand& operand) {
    out_ << "x" << operand.number << ".at(" << (is_repeated(operand) ? "0" : "i") << ")";
  }

  void write_operation(const Operation& o) {
    out_ << "      ";
    if (o.kind != Operation::Kind::kStore) out_ << Slot{o.slot} << " = ";
    switch (o.kind) {
      case Operation::Kind::kLoad:
        out_ << "load_bits(" << o.to << ", ";
        element({o.a, o.to});
        break;
      case Operation::Kind::kStore:
        out_ << "store_bits(" << o.from << ", " << Slot{o.b} << ", ";
        element({o.a, o.from});
        break;
      case Operation::Kind::kCast:
        out_ << "cast(" << Slot{o.a} << ", " << o.from << ", " << o.to;
        break;
      case Operation::Kind::kSelect:
        out_ << "select(" << Slot{o.a} << ", " << Slot{o.b} << ", " << Slot{o.c};
        break;
      case Operation::Kind::kCompute:
        out_ << "compute(" << static_cast<ScalarOp>(o.op) << ", " << o.from << ", " << o.to << ", "
             << Slot{o.a} << ", " << Slot{o.b} << ", " << Slot{o.c};
        break;
    }
    out_ << ");\n";
  }

  void write_reduced() {
    constant("kMostReduced", static_cast<std::int64_t>(reduced_.size()));
    out_ << "  ARN_DEVICE static int n_reduced(const ReductionArgs&) { return kMostReduced; }\n"
            "  ARN_DEVICE static ReducedValue reduced(const ReducedOutputs&, int i) {\n"
            "    switch (i) {\n";
    for (std::size_t i = 0; i < reduced_.size(); ++i) {
      const ReducedValue& value = reduced_[i];
      if (i + 1 < reduced_.size()) {
        out_ << "      case " << i;
      } else {
        out_ << "      default";
      }
      out_ << ": return {" << value.slot << ", Reduction{" << static_cast<int>(value.reduction)
           << "}, " << value.from << "};\n";
    }
    out_ << "    }\n"
            "  }\n";
  }

  void write_kernel() {
    out_ << "extern \"C\" ";
    if (reduced_.empty()) {
      out_ << "ARN_KERNEL " << kProgramKernel
           << "(ARN_ARGUMENT(ProgramArgs, p)) { evaluate_all<Program>(p); }\n";
    } else {
      out_ << "ARN_KERNEL_SHARING(" << kReducingBlocks << ") " << kProgramKernel
           << "(ARN_ARGUMENT(ReductionArgs, r), ARN_ARGUMENT(ReducedOutputs, outputs)) { "
           << (axes_.is_by_rows ? "reduce_by_rows" : "reduce_by_columns")
           << "<Program>(r, outputs); }\n";
    }
  }

  const ProgramCode& code_;
  const ProgramAxes& axes_;
  const std::vector<ReducedValue>& reduced_;
  std::vector<Operand> read_;
  std::vector<Operand> written_;
  std::int64_t count_ = 1;
  std::ostringstream out_;
};

}  // namespace

ProgramSource write_source(const ProgramCode& code, const ProgramAxes& axes,
                           const std::vector<ReducedValue>& reduced) {
  return Writer(code, axes, reduced).write();
}

}  // namespace arignote::device
