// Who may look on while steps run: Python hooks, and the clock.
#pragma once

#include "bindings/caller.hpp"

namespace arignote {

// Calls before(step, inputs) and after(step, inputs, outputs); needs the GIL. None for no hook.
class Hooks final : public Observer {
 public:
  Hooks(PyObject* before, PyObject* after) : before_(before), after_(after) {}
  Status before(const Context& context, int step) override;
  Status after(const Context& context, int step) override;

 private:
  PyObject* before_;
  PyObject* after_;
  Ref inputs_;
};

// Adds one call's times to a profile.
class Timer final : public Observer {
 public:
  explicit Timer(Profile& profile);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  Status before(const Context& context, int step) override;
  Status after(const Context& context, int step) override;

 private:
  Profile& profile_;
  std::int64_t call_start_;
  std::int64_t step_start_ = 0;
};

}  // namespace arignote
