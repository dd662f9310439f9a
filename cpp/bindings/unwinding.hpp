// Protection from the way in which Python before 3.14 ends daemon threads.
#pragma once

#include <Python.h>

#include <chrono>
#include <thread>

namespace arignote {

// Calls into Python. Where the process is ending, a thread that asks for the GIL there never gets
// it: Python unwinds its stack instead, and the destructors on the way would touch Python objects
// without the GIL. Such a thread stays here until the process is gone.
template <class Call>
auto without_unwinding(const Call& call) {
  try {
    return call();
  } catch (...) {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

inline void restore_thread(PyThreadState* thread) {
  without_unwinding([&] { PyEval_RestoreThread(thread); });
}

template <class... Args>
PyObject* call_function(PyObject* function, const char* format, Args... args) {
  return without_unwinding([&] { return PyObject_CallFunction(function, format, args...); });
}

template <class... Args>
PyObject* call_method(PyObject* object, const char* name, const char* format, Args... args) {
  return without_unwinding([&] { return PyObject_CallMethod(object, name, format, args...); });
}

// Runs without the GIL as long as it lives.
class GilRelease {
 public:
  GilRelease() : thread_(PyEval_SaveThread()) {}
  ~GilRelease() { restore_thread(thread_); }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* thread_;
};

}  // namespace arignote
