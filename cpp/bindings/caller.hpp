// One call of a function, from Python's arguments to Python's results.
#pragma once

#include <array>
#include <vector>

#include "bindings/function_core.hpp"
#include "runtime/context.hpp"

namespace arignote {

class Caller final : public Host {
 public:
  explicit Caller(const FunctionCore& core);
  ~Caller();

  // `function` is the Python object, whose methods are the slow paths; `arguments` are as many as
  // there are inputs. With `undo`, states are as they were when a step or the observer fails.
  Ref call(PyObject* function, PyObject* const* arguments, Observer* observer, bool undo);

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

  bool accept(PyObject* function, PyObject* const* arguments);
  bool accept_slowly(PyObject* function, std::size_t position, PyObject* value);
  void take_array(std::size_t position, PyArrayObject* array);
  bool keep(std::size_t position, Ref converted);
  Status take_states();
  Status separate_states();
  Status separate_inputs();
  Status run(Observer* observer, bool undo);
  void finish_states();
  Ref build();
  void fail(PyObject* function, PyObject* const* arguments, const Status& status);
  bool reusable(int number, const Layout& layout) const;
  bool save_states(std::vector<Ref>& saved) const;
  void restore_states(const std::vector<Ref>& saved) const;
  void hold_gil();
  void reset();

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
};

}  // namespace arignote
