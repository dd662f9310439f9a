// One pool of threads per process, started on first use.
//
// Work is cut into tasks by the caller, and the cut may depend on shapes alone, never on the number
// of threads: that is what makes results the same for any number of them.
#pragma once

#include <cstdint>
#include <type_traits>

namespace arignote {

// A borrowed callable: no allocation, valid only while the callable lives.
class TaskRef {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskRef>)
  TaskRef(F&& task)  // NOLINT: implicit on purpose, call sites pass lambdas
      : object_(const_cast<void*>(static_cast<const void*>(&task))),
        call_([](void* object, std::int64_t index) {
          (*static_cast<std::remove_reference_t<F>*>(object))(index);
        }) {}
  void operator()(std::int64_t index) const { call_(object_, index); }

 private:
  void* object_;
  void (*call_)(void*, std::int64_t);
};

// What a task should take, roughly: well above the time to hand one out.
inline constexpr double kTaskNanoseconds = 20'000;
// Unless there are many, tasks come in multiples of so many: a few threads then end at the same
// time.
inline constexpr std::int64_t kTogether = 4;

// Runs task(0) … task(count - 1), each exactly once, in any order, on up to num_threads() threads;
// returns when all are done. Tasks must not throw. Runs inline when count is 1, when one thread is
// configured, or when called from inside a task. `nanoseconds` is what one task takes, roughly:
// threads that sleep are woken only for work that is worth it.
void parallel_for(std::int64_t count, TaskRef task, double nanoseconds = kTaskNanoseconds);

// Number of threads, the calling one included. Zero asks for one per available core.
void set_num_threads(int count);
int num_threads();

}  // namespace arignote
