// What a function is made of, and what its callers share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "bindings/input_rule.hpp"
#include "bindings/program.hpp"
#include "bindings/state.hpp"

namespace arignote {

class Caller;

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

// Nothing but the callers and the profile changes after it is made.
struct FunctionCore {
  FunctionCore(PyObject* program, const LoadedProgram& loaded_program);
  ~FunctionCore();

  // What Function.__init__ takes; false with a Python error set.
  bool take_states(PyObject* objects);
  bool take_returns(PyObject* given);
  bool take_outputs(PyObject* borrow_flags);
  bool take_inputs(PyObject* conversions);

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

}  // namespace arignote
