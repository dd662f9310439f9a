// What a kernel is to the runtime.
//
// A step's factory reads its attributes and resolves every dtype and the SIMD target. It makes a
// Kernel when the plan is loaded, to see that there is one, and another for each set of shapes and
// strides that the plan meets: bind() fits it to them, run() is called on every call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.hpp"
#include "core/view.hpp"

namespace arignote {

// The step as the plan states it. The meaning of ints and names is the kernel's own and is written
// down beside its factory and in the op record that encodes it.
struct StepSpec {
  std::string kernel;
  std::vector<std::int64_t> ints;
  std::vector<double> reals;
  std::vector<std::string> names;
  std::vector<DType> input_dtypes;
  std::vector<int> input_ndims;
  std::vector<bool> constant_inputs;  // whose elements are the same in every run
  std::vector<DType> output_dtypes;
  std::vector<int> output_ndims;
  // shared_storage[o] lists the inputs whose memory output o overwrites, element for element.
  std::vector<std::vector<int>> shared_storage;
};

class Session;

// Rows of a matrix that are computed when they are read, by the thread that reads them.
class RowSource {
 public:
  // Leaves rows first … last - 1, without gaps. May be called on several threads at a time.
  virtual void compute(std::int64_t first, std::int64_t last, std::byte* rows) const noexcept = 0;

 protected:
  ~RowSource() = default;
};

// Where an input of a device's kernel lies in each turn of a loop that the device runs by itself.
struct WindowOffsets {
  // Bytes from its pointer on, by turn, on the device; null if it lies there in all of them.
  const std::int64_t* by_turn = nullptr;
  std::size_t item = 1;  // a power of two, 16 at most, that divides all of them
};

// Of a kernel that takes some columns of inputs[0] after others. A run observes them, or once all
// have been observed, writes what follows for them.
struct ColumnPart {
  bool is_observed = false;  // already: it is time to write
  std::int64_t first = 0;
  std::int64_t all = 0;  // columns of all parts
  std::byte* seen = nullptr;  // what is kept of those that were observed
};

// A step that reads an output of another one, and nothing else does.
struct PartReader {
  const StepSpec* spec = nullptr;
  std::vector<Layout> inputs;
  std::vector<Layout> outputs;
  std::size_t input = 0;  // the one that is this output, or a window that begins where it does
  std::vector<bool> writes;  // by input of the other step: the memory that it begins in
};

struct RunArgs {
  std::span<std::byte* const> inputs;
  std::span<std::byte* const> outputs;
  std::span<const std::int64_t> dims;  // values of the step's dims, such as the start of a slice
  std::byte* workspace;  // 64-byte aligned, as many bytes as bind() asked for
  // Another number than in the last run if one of the pointers is another.
  std::int64_t moves = 0;
  Session* session = nullptr;  // of a kernel of a device: where to queue its work
  // In such a turn, if it differs from turn to turn where the inputs lie: the turn's number, on the
  // device, and where each input lies. Else null and empty.
  const std::int64_t* turn = nullptr;
  std::span<const WindowOffsets> windows = {};
  // Of a kernel that runs on one block of rows after another, else null and false:
  const std::byte* prepared = nullptr;  // what prepare() returned
  std::byte* sum = nullptr;  // what to write, as sum_form() says, in place of outputs[0]
  bool adds = false;  // to that, or to outputs[0], rather than to write it
  // Of a kernel that runs on one part of its columns after another, else null.
  const ColumnPart* part = nullptr;
  // Of the steps that the kernel has taken over, in this order.
  std::span<const RunArgs* const> taken_over = {};
  // As many rows that this thread will read next as inputs[0], to be fetched meanwhile; inputs[0]
  // itself if there is nothing to fetch.
  const std::byte* next = nullptr;
  // Outputs, by bit, that are not written but left to their row_source().
  std::uint32_t left = 0;
  // Where the rows of an input come from whose memory holds nothing, null if there is none.
  const RowSource* rows = nullptr;
  std::size_t rows_input = 0;
};

// What the sum of a kernel's outputs consists of, if that is not the output itself.
struct SumForm {
  std::size_t bytes = 0;
  DType dtype = DType::kFloat32;
};

class Kernel;

// A run of a kernel.
struct Work {
  Kernel* kernel = nullptr;
  const RunArgs* args = nullptr;
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // Checks that the layouts fit each other (kBadPlan if not: user mistakes are caught by the plan's
  // checks before) and prepares whatever depends on them. Outputs are C-contiguous unless they
  // share storage with an input. Data pointers may differ from run to run.
  virtual Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) = 0;

  // Valid after bind().
  virtual std::size_t workspace_bytes() const { return 0; }

  // Rough nanoseconds of one run on one core; decides whether the GIL is worth releasing.
  virtual double cost() const = 0;

  // May not throw or allocate. Cuts its work with parallel_for by shape alone.
  virtual Status run(const RunArgs& args) noexcept = 0;

  // Of a device's kernel, once after bind(): brings what it needs beside its operands to the
  // device, so that no run has to ask for memory.
  virtual Status enter(Session& /*session*/) noexcept { return {}; }
  // Of a device's kernel, after bind(): whether a run finds an input by RunArgs::windows.
  virtual bool reads_windows(std::size_t /*input*/) const { return false; }
  // Of a device's kernel: as run(), with what comes next on the device. A kernel that can do some
  // of that in the same breath does so, from the first on, and tells how many runs it has taken.
  virtual Status run_with(const RunArgs& args, std::span<const Work> /*next*/,
                          std::size_t& taken) noexcept {
    taken = 0;
    return run(args);
  }

  // --- For who runs the kernel on one block of rows after another. All of this follows from
  // dtypes, strides and the lengths that all blocks have in common.

  // What can be worked out once from an input that is the same for every block. The first block's
  // inputs[0] is at `rows`, as far as that is known, else null. prepare() leaves it somewhere in so
  // many bytes, and returns where.
  virtual std::size_t prepared_bytes(std::size_t /*input*/) const { return 0; }
  virtual const std::byte* prepare(const std::byte* /*input*/, const std::byte* /*rows*/,
                                   std::byte* memory) noexcept {
    return memory;
  }

  // If it has any bytes, a run can write, or add, its output to a sum of that form, of which
  // finish() makes the output. Zeros are a sum of nothing, and sums of one form may be added up.
  virtual SumForm sum_form() const { return {}; }
  // On a device's session if the kernel is a device's.
  virtual Status finish(const std::byte* /*sum*/, std::byte* /*output*/,
                        Session* /*session*/) noexcept {
    return {};
  }
  // Whether a run can add to its output as it is, in place of a sum in a form of its own.
  virtual bool adds_to_output() const { return false; }

  // --- Of a device's kernel that makes an output part by part.

  // Whether it runs that reader, too, on one part after another: then the output has no memory, and
  // the reader's step need not be run. Asked after bind().
  virtual bool take_over(std::size_t /*output*/, const PartReader& /*reader*/) { return false; }

  // --- For who runs the kernel on one part of its columns after another.

  // What is kept while a run observes them; 0 for kernels that cannot.
  virtual std::size_t seen_bytes() const { return 0; }

  // --- For an output that one other kernel reads, once, after this one has run: it need not come
  // to memory. Both are asked after bind().

  // What computes the rows of an output which a run has left to it, until the next run. Null if
  // runs always write it.
  virtual const RowSource* row_source(std::size_t /*output*/) { return nullptr; }
  // Whether a run can take an input from a RowSource.
  virtual bool takes_rows(std::size_t /*input*/) const { return false; }
};

// Returns null and sets status when the step's attributes or dtypes are not ones it can run.
using KernelFactory = std::unique_ptr<Kernel> (*)(const StepSpec& spec, Status& status);

struct KernelEntry {
  std::string_view name;
  KernelFactory make;
};

// Every kernel file ends with one array of these; table.cpp lists the arrays by hand.
const KernelEntry* find_kernel(std::string_view name);
std::span<const std::span<const KernelEntry>> kernel_tables();

}  // namespace arignote
