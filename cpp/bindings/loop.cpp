// Calls one after the other without coming back to Python: map and repeat.
//
// Arguments are taken, and shared variables locked, once for all steps. A step only moves on to the
// next slices of its arguments and results; what lies where is looked at anew when an update has
// given a variable other memory. Each step commits its updates before the next begins, so that
// whatever ends a loop early leaves the variables as the last whole step has left them.
#include <algorithm>
#include <new>

#include "bindings/caller.hpp"
#include "bindings/observers.hpp"
#include "bindings/unwinding.hpp"

namespace arignote {
namespace {

// How long a signal may wait. To ask for one takes the GIL, which may be long in coming.
constexpr std::chrono::milliseconds kPatience{50};
// Nanoseconds of work, roughly, between two looks at the clock.
constexpr double kBetweenLooks = 100'000;

// Nanoseconds that the device may be at work for.
constexpr double kOfTurns = 1e7;

constexpr Status kPythonError{.code = Code::kHostError};

}  // namespace

Ref Caller::loop(PyObject* function, PyObject* const* arguments, PyObject* const* stacked,
                 std::int64_t count, Profile* profile) {
  Ref result;
  StateLocks locks;
  loop_ = {.count = count, .watched = Clock::now()};
  if (accept_stacks(arguments, stacked) && locks.take(core_.uses)) {
    const Status status = run_loop(profile);
    count_updates(loop_.done);
    locks.release();
    if (status.ok()) {
      result = build();
    } else {
      fail(function, arguments, status);
      note_step(function);
    }
  }
  reset();
  return result;
}

bool Caller::accept_stacks(PyObject* const* arguments, PyObject* const* stacked) {
  for (std::size_t i = 0; i < core_.inputs.size(); ++i) {
    const int is_stack = PyObject_IsTrue(stacked[i]);
    if (is_stack < 0) return false;
    auto* const array = reinterpret_cast<PyArrayObject*>(arguments[i]);
    const InputRule& rule = core_.inputs[i];
    const bool fits =
        PyArray_Check(arguments[i]) &&
        (is_stack == 0 ? rule.accepts(array)
                       : rule.accepts_stack(array) && PyArray_DIM(array, 0) == loop_.count);
    if (!fits) {
      PyErr_Format(PyExc_TypeError, "[Function] argument %zu must be an array that fits: %R", i,
                   arguments[i]);
      return false;
    }
    take_array(i, array);
    if (is_stack != 0) stacks_.push_back({.input = static_cast<int>(i)});
  }
  return true;
}

Status Caller::run_loop(Profile* profile) {
  keeps_gil_ = false;
  const bool has_turns = profile == nullptr && Turns::suit(core_.loaded.program);
  Status status;
  while (loop_.done < loop_.count) {
    if (has_turns && run_turns(status)) {
      if (!status.ok()) break;
    } else {
      if (profile == nullptr) {
        status = run_step(nullptr);
      } else {
        Timer timer(*profile);
        status = run_step(&timer);
      }
      if (!status.ok()) break;
      ++loop_.done;
    }
    if (interrupted()) {
      status = kPythonError;
      break;
    }
  }
  if (turns_ && !turns_->pause()) turns_.reset();
  hold_gil();
  if (loop_.uneven != kNone) return {.code = Code::kUneven, .position = loop_.uneven};
  return status;
}

// Has the device run the next steps by itself; false if it cannot. The first step of a loop shows
// what all of them look like.
bool Caller::run_turns(Status& status) {
  if (loop_.done == 0 || !loop_.settled) return false;
  const Clock::time_point begin = Clock::now();
  expect(kOfTurns);
  std::int64_t done = 0;
  try {
    if (!turns_ || !loop_.has_turns) set_turns();
    const std::int64_t wanted = std::min(loop_.turns, loop_.count - loop_.done);
    done = turns_->run(loop_.done, wanted, status);
  } catch (const std::bad_alloc&) {
    turns_.reset();
  }
  loop_.done += done;
  loop_.unwatched = kBetweenLooks;
  if (Clock::now() - begin < kPatience / 2) loop_.turns *= 2;
  return done > 0 || !status.ok();
}

// Those of an earlier loop if it was laid out alike.
void Caller::set_turns() {
  loop_.has_turns = true;
  turn_results_.clear();
  for (const Results& result : results_) turn_results_.push_back({result.data, result.bytes});
  const std::int64_t left = loop_.count - loop_.done;
  if (turns_ && turns_->resume(stacks_, turn_results_, left)) return;
  turns_.reset();
  turns_ = std::make_unique<Turns>(context_, stacks_, turn_results_, left);
}

Status Caller::run_step(Observer* observer) {
  if (!loop_.settled) {
    hold_gil();
    if (const Status status = settle_sources(); !status.ok()) return status;
  }
  for (const TurnStack& stack : stacks_) {
    context_.move(stack.input, stack.data + loop_.done * stack.stride);
  }
  if (const Status status = context_.run(*this, observer); !status.ok()) return status;
  if (!loop_.settled || !resized_.empty()) {
    hold_gil();
    finish_states();
    loop_.settled = aside_.empty() && resized_.empty();
    aside_.clear();
    resized_.clear();
  }
  return {};
}

Status Caller::settle_sources() {
  if (const Status status = take_states(); !status.ok()) return status;
  if (const Status status = separate_states(); !status.ok()) return status;
  if (loop_.done == 0) {
    if (const Status status = separate_inputs(); !status.ok()) return status;
    cut_stacks();
  }
  context_.take(sources_);
  return {};
}

// From the arrays to their first slices.
void Caller::cut_stacks() {
  for (TurnStack& stack : stacks_) {
    Source& source = sources_[stack.input];
    stack.data = source.data;
    stack.stride = *source.strides;
    ++source.shape;
    ++source.strides;
  }
}

// Null, too, for one that does not lie behind the others because its shape differs.
std::byte* Caller::first_result(int number, const Layout& layout) {
  if (loop_.done > 0) {
    loop_.uneven = number;
    return nullptr;
  }
  hold_gil();
  outputs_[number] = new_stack(core_.outputs[number].descr.get(), loop_.count, layout);
  if (!outputs_[number]) {
    PyErr_Clear();
    return nullptr;
  }
  results_[number] = {.data = static_cast<std::byte*>(PyArray_DATA(as_array(outputs_[number]))),
                      .bytes = layout.size() * static_cast<std::int64_t>(size_of(layout.dtype)),
                      .layout = layout};
  return results_[number].data;
}

// Whether a signal, such as a Ctrl-C, ends the loop; then a Python error is set. The next step
// gives the GIL away again.
bool Caller::interrupted() {
  if (loop_.unwatched < kBetweenLooks || loop_.done == loop_.count) return false;
  loop_.unwatched = 0;
  if (Clock::now() - loop_.watched < kPatience) return false;
  hold_gil();
  const bool raised = without_unwinding([] { return PyErr_CheckSignals(); }) != 0;
  loop_.watched = Clock::now();
  return raised;
}

// Has the exception that is set say how far the loop came.
void Caller::note_step(PyObject* function) const {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const Ref noted(
      call_method(function, "_note_step", "OL", value, static_cast<long long>(loop_.done)));
  if (!noted) PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

}  // namespace arignote
