// Memory of one device. What is given back is kept and handed out again, for the driver takes long
// over both: it waits for all that the device is at.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace arignote::device {

class Memory {
 public:
  // Null when there is none, even after all that was kept has gone back to the driver.
  std::byte* allocate(std::size_t bytes);
  // Nothing may be at work on it any more.
  void release(std::byte* memory);
  // Gives what is kept back to the driver; returns how many bytes that were.
  std::size_t trim();

 private:
  std::size_t give_back();  // needs the lock

  std::mutex mutex_;
  std::map<std::byte*, std::size_t> sizes_;          // of all that the driver has given
  std::multimap<std::size_t, std::byte*> kept_;      // by size
};

}  // namespace arignote::device
