// One execution of a program: everything that a call needs beside its arguments. A function has as
// many contexts as it has had calls at the same time.
//
//   sources -> Frame (dims, layouts) -> Binding (kernels, arena) -> pointers -> steps -> commit
//
// Each arrow is taken only when what it starts from has changed, but for the pointers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/buffer.hpp"
#include "kernels/transfer.hpp"
#include "runtime/backend.hpp"
#include "runtime/binding.hpp"
#include "runtime/frame.hpp"

namespace arignote {

struct Operand {
  std::byte* data = nullptr;
  const Layout* layout = nullptr;
};

class Context;
class Turns;
class TurnWindows;

// What the executor asks of the side that owns the arrays.
class Host {
 public:
  // Memory for an output, contiguous; null when there is none.
  virtual std::byte* output(int number, const Layout& layout) = 0;
  // New memory, contiguous, for a state that changes its shape; it takes effect when the call
  // succeeds.
  virtual std::byte* resized_state(int number, const Layout& layout) = 0;
  // The steps that follow take about so many nanoseconds.
  virtual void expect(double nanoseconds) = 0;
  // Runs a host step.
  virtual Status call(const Context& context, int step) = 0;

 protected:
  ~Host() = default;
};

// Looks on while steps run.
class Observer {
 public:
  virtual Status before(const Context& context, int step) = 0;
  virtual Status after(const Context& context, int step) = 0;

 protected:
  ~Observer() = default;
};

class Context {
 public:
  // `outer` is the session of the step that runs the program as its body, if that is a device's:
  // then a run queues its work there, and waits for nothing.
  explicit Context(const Program& program, Session* outer = nullptr);
  Context(const Context&) = delete;  // its steps point into it
  Context& operator=(const Context&) = delete;

  // Runs the program. The sources are the inputs, then the states; none may overlap a state that is
  // written, but that state itself. On failure no state has been written.
  Status run(std::span<const Source> sources, Host& host, Observer* observer) {
    take(sources);
    return run(host, observer);
  }

  // The same in parts, for runs that follow one another: the sources stay until others are taken,
  // but may move.
  void take(std::span<const Source> sources);
  void move(int source, std::byte* data) { roots_[source] = data; }
  Status run(Host& host, Observer* observer);

  // Lays everything out for such sources: a run with these layouts then allocates nothing. For
  // programs of one segment.
  Status prepare(std::span<const Source> sources);
  // Rough nanoseconds of a run with the layouts of the last one.
  double cost() const { return bindings_.back()->cost(); }

  // Whether the last run or prepare got so far as to bind all kernels.
  bool is_settled() const { return settled_ == n_segments(); }
  // A step's kernel for the layouts of the last run or prepare; null for aliases.
  Kernel* kernel(int step) const { return steps_[step].kernel; }
  // What the kernel of a step gets from now on, beside its operands.
  void hand(int step, const std::byte* prepared) { steps_[step].args.prepared = prepared; }
  void let_leave(int step, std::size_t output, bool leaves);
  void let_sum(int step, std::byte* sum, bool adds) {
    steps_[step].args.sum = sum;
    steps_[step].args.adds = adds;
  }
  void let_fetch(int step, const std::byte* next) { steps_[step].args.next = next; }
  void let_part(int step, const ColumnPart* part) { steps_[step].args.part = part; }
  void let_run(int step, bool runs) { steps_[step].is_skipped = !runs; }

  // Of a body on a device: the row of its step's operands at which the next run begins.
  void begin_at(std::int64_t row) { first_row_ = row; }

  // The step that run, or the last one of a failed call; kNone outside steps.
  int step() const { return step_; }
  // Copies bytes of the device's to the host's memory, for steps that are done.
  Status download(const std::byte* from, std::byte* to, std::size_t bytes) const;
  const Layout& layout(int buffer) const { return frame_.layouts()[buffer]; }
  Operand operand(int buffer) const { return {pointer(buffer), &layout(buffer)}; }
  const Program& program() const { return program_; }

 private:
  friend class Turns;
  friend class TurnWindows;

  // An address as a position in roots_ and a distance from there.
  struct Place {
    int root = 0;
    std::int64_t offset = 0;
  };
  struct BoundStep {
    Kernel* kernel = nullptr;  // null: a host step or an alias
    bool is_host = false;
    bool is_taken_over = false;  // an earlier one runs it
    bool is_skipped = false;
    bool on_device = false;
    std::span<std::byte* const> guards;
    const std::vector<Guard>* expected = nullptr;
    RunArgs args;
    std::vector<const RunArgs*> taken_over;  // of the steps that this one runs
  };
  // A state's new value that is not computed in place.
  struct Copy {
    int state = 0;
    int value = 0;
    std::byte* target = nullptr;
    Transfer transfer;
  };

  void make_steps();
  Status run_segments(Host& host, Observer* observer);
  bool take_values(const Segment& segment);
  Status settle(int number);
  Status bind(int number);
  void place(int number);
  Place place_of(int number, int buffer, std::size_t& slot) const;
  Status prepare_updates(Host& host);
  void point(int number);
  void point_operand(std::size_t operand);
  bool moves(int root) const;
  // Has outputs left to those who read them, or written.
  void let_leave(int segment, bool leaves);
  Status run_steps(const Segment& segment, Host& host, Observer* observer);
  Status run_step(int& id, int end, Host& host);
  Status run_observed(int id, Host& host, Observer& observer);

  // With a device, in context_device.cpp.
  void open_device(Session* outer);
  Status load_on_device(int segment, const Binding& binding);
  Status upload_scalars();
  Status enter_step(int id);
  // What runs on the device directly behind one of its steps.
  std::span<const Work> behind(int id, int end);
  Status wait_for_device();
  Status commit_on_device();
  Status leave_device(Status status);

  // The buffer that takes most of a segment's arena, kNone if kernels do.
  int largest(const Segment& segment, const Binding& binding, bool on_device) const;
  static bool wanted(const BoundStep& step);
  std::byte* pointer(int buffer) const {
    return roots_[places_[buffer].root] + places_[buffer].offset;
  }
  int source_root(const BufferSpec& spec) const;
  int output_root(int number) const { return first_output_ + number; }
  bool is_on_device(int buffer) const { return program_.plan.buffer(buffer).on_device; }
  int n_segments() const { return static_cast<int>(caches_.size()); }
  int scalar_root(bool on_device) const;
  int arena_root(int segment, bool on_device) const;
  int turns_root() const { return arena_root(n_segments(), true); }

  const Program& program_;
  Frame frame_;
  int first_output_;  // its root
  // Inputs, states, constants, outputs, scalars, arenas; the device's scalars and arenas, and what
  // Turns have there.
  std::vector<std::byte*> roots_;
  std::vector<Place> places_;  // by buffer
  std::vector<BindingCache> caches_;  // by segment, as are the next two
  std::vector<Binding*> bindings_;
  std::vector<Buffer> arenas_;
  std::vector<std::int64_t> key_;
  int settled_ = 0;  // how many segments stand as the last call left them

  std::vector<BoundStep> steps_;
  std::vector<int> operand_buffers_;  // of all steps: inputs, outputs, guards
  std::vector<int> operand_steps_;  // whose operands they are
  std::vector<std::byte*> operands_;  // where they are in this call
  std::vector<std::size_t> operand_begin_;  // by segment, and the end
  std::vector<std::size_t> moving_;  // operands in inputs and outputs, by segment as operands_ are
  std::vector<std::size_t> moving_end_;  // by segment
  int pointed_ = 0;  // how many segments have operands that stand but for those
  std::vector<std::int64_t> dim_values_;  // of all steps
  std::vector<Copy> copies_;
  bool has_left_rows_ = false;  // some segment has or had
  bool is_observed_ = false;  // as the segments are bound
  int step_ = kNone;

  Session* session_ = nullptr;  // null if all runs on the CPU
  std::unique_ptr<Session> own_session_;  // null, too, if the session is another context's
  std::int64_t first_row_ = 0;
  std::array<Work, 8> behind_;  // more than one launch can take is of no use
  DeviceMemory device_scalars_;
  std::vector<DeviceMemory> device_arenas_;
  std::vector<std::byte> uploaded_;  // the scalars as the device has them
  std::map<int, Place> staged_;  // views that lie elsewhere in each turn of a loop: see TurnWindows
};

}  // namespace arignote
