// One call of a function, from Python's arguments to Python's results.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "bindings/program.hpp"
#include "bindings/state.hpp"
#include "runtime/context.hpp"

namespace arignote {

class Caller;

// What an argument must be to be taken without Python's help.
struct InputRule {
  DType dtype = DType::kFloat64;
  int ndim = 0;
  std::vector<int> broadcastable;  // axes that must have length 1
  PyTypeObject* scalar_type = nullptr;  // of a 0-d input: the NumPy scalar that fits

  bool accepts(PyArrayObject* array) const;
  // Stores a 0-d value that needs no array; false if it is none.
  bool store(PyObject* value, std::byte* data) const;
};

// Counts of all calls since profiling began.
struct Profile {
  struct Times {
    std::atomic<std::int64_t> runs{0};
    std::atomic<std::int64_t> nanoseconds{0};
  };
  explicit Profile(std::size_t n_steps) : steps(n_steps) {}
  Times calls;
  std::vector<Times> steps;
};

struct OutputRule {
  bool borrow = false;  // the next call may write into the same array
  Ref descr;            // NumPy's dtype
};

enum class Returns { kOne, kList, kDict };

// What a function is made of. Nothing but the callers and the profile changes after it is made.
struct FunctionCore {
  FunctionCore(PyObject* program, const LoadedProgram& loaded_program);
  ~FunctionCore();

  Ref program_object;
  const LoadedProgram& loaded;
  Ref states_tuple;
  std::vector<StateCell*> states;   // by number
  std::vector<StateUse> uses;       // by address
  std::vector<int> written;         // numbers of the states that have an update
  std::vector<int> in_place;        // of those that steps write into
  std::vector<InputRule> inputs;
  std::vector<OutputRule> outputs;
  Returns returns = Returns::kList;
  Ref keys;

  // A caller that nobody else uses until it is given back; throws std::bad_alloc.
  std::unique_ptr<Caller> take_caller();
  void give_back(std::unique_ptr<Caller> caller);

  std::atomic<Profile*> profile{nullptr};  // one of the profiles below, null while it is off
  std::vector<std::unique_ptr<Profile>> profiles;
  std::mutex mutex;  // guards profiles and spare

 private:
  std::atomic<Caller*> idle_{nullptr};
  std::vector<std::unique_ptr<Caller>> spare_;
};

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
