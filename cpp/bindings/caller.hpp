// One call of a function, from Python's arguments to Python's results; or many in a loop.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bindings/function_core.hpp"
#include "kernels/strided.hpp"
#include "runtime/context.hpp"
#include "runtime/turns.hpp"

namespace arignote {

class Caller final : public Host {
 public:
  explicit Caller(const FunctionCore& core);
  ~Caller();

  const Context& context() const { return context_; }

  // `function` is the Python object, whose methods are the slow paths; `arguments` are as many as
  // there are inputs. With `undo`, states are as they were when a step or the observer fails.
  Ref call(PyObject* function, PyObject* const* arguments, Observer* observer, bool undo);

  // As many calls as `count` one after the other: see loop.cpp. The arguments are arrays that fit;
  // each call gets the next slice of those that are flagged as stacks.
  Ref loop(PyObject* function, PyObject* const* arguments, PyObject* const* stacked,
           std::int64_t count, Profile* profile);

  std::byte* output(int number, const Layout& layout) override;
  std::byte* resized_state(int number, const Layout& layout) override;
  void expect(double nanoseconds) override;
  Status call(const Context& context, int step) override;

 private:
  struct StateArray {
    int state;
    Ref array;
  };
  using Scratch = std::array<std::byte, 16>;
  using Clock = std::chrono::steady_clock;

  // Of a loop: where it stands.
  struct Loop {
    std::int64_t count = 0;     // steps; none: a single call
    std::int64_t done = 0;      // steps that have been finished
    bool settled = false;       // inputs and states lie as in the last step, but for slices
    double unwatched = 0;       // nanoseconds, roughly, since the last look at the clock
    Clock::time_point watched;  // when signals were last asked for
    int uneven = kNone;         // an output that was refused for its shape
    std::int64_t turns = 16;    // how many steps the device gets to do at a time
    bool has_turns = false;     // turns_ are for this loop
  };
  // Where an output's results lie one behind the other.
  struct Results {
    std::byte* data = nullptr;
    std::int64_t bytes = 0;  // of one
    Layout layout;           // of each
  };

  bool accept(PyObject* function, PyObject* const* arguments);
  bool accept_slowly(PyObject* function, std::size_t position, PyObject* value);
  void take_array(std::size_t position, PyArrayObject* array);
  bool keep(std::size_t position, Ref converted);
  Status take_states();
  Status separate_states();
  Status separate_inputs();
  Status run(Observer* observer, bool undo);
  void finish_states();
  void count_updates(std::int64_t count);
  Ref build();
  Ref given(PyObject* const* arguments) const;
  std::string refused_shape(int buffer) const;
  void fail(PyObject* function, PyObject* const* arguments, const Status& status);
  bool reusable(int number, const Layout& layout) const;
  bool save_states(std::vector<Ref>& saved) const;
  Status restore_states(const std::vector<Ref>& saved) const;
  void hold_gil();
  void reset();

  bool accept_stacks(PyObject* const* arguments, PyObject* const* stacked);
  Status run_loop(Profile* profile);
  bool run_turns(Status& status);
  void set_turns();
  Status run_step(Observer* observer);
  Status settle_sources();
  void cut_stacks();
  std::byte* result(int number, const Layout& layout) {
    const Results& results = results_[number];
    if (loop_.done > 0 && same_shape(results.layout, layout)) [[likely]] {
      return results.data + loop_.done * results.bytes;
    }
    return first_result(number, layout);
  }
  std::byte* first_result(int number, const Layout& layout);
  bool interrupted();
  void note_step(PyObject* function) const;

  const FunctionCore& core_;
  Context context_;
  std::vector<Source> sources_;
  std::vector<PyArrayObject*> arrays_;  // of the inputs, null for values in scratch_
  std::vector<Scratch> scratch_;
  std::vector<Ref> kept_;               // inputs that were converted or copied
  std::vector<Ref> outputs_;
  std::vector<Ref> borrowed_;           // outputs that the next call may use again
  std::vector<StateArray> resized_;
  std::vector<StateArray> aside_;       // what states are written to that overlap others
  PyThreadState* released_ = nullptr;   // not null while the GIL is released
  bool keeps_gil_ = false;
  Loop loop_;
  std::vector<TurnStack> stacks_;         // arguments of which each step gets the next slice
  std::vector<Results> results_;        // by output, while a loop runs
  std::vector<TurnResults> turn_results_;
  std::unique_ptr<Turns> turns_;        // of the last loop that the device has run by itself
};

}  // namespace arignote
