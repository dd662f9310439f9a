// The kernels that are compiled for one device: each once, as long as the process lives.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace arignote::device {

class CompiledKernels {
 public:
  // Null where there is no compiler, and where it or the driver refuses. The device is the calling
  // thread's.
  void* find(const std::string& source, const char* name, int device);

  struct Report {
    int count = 0;                  // of sources
    std::vector<std::string> refused;  // why those were that were
  };
  Report report();
  // As if none had been asked for.
  void forget();

 private:
  std::mutex mutex_;
  std::map<std::string, void*> kernels_;  // by source
  std::vector<std::string> refused_;
};

}  // namespace arignote::device
