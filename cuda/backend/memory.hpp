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

  // Bytes that are handed out, and the most that were since the last reset.
  struct Use {
    std::size_t now = 0;
    std::size_t most = 0;
  };
  Use use() const;
  void reset_most();

 private:
  std::size_t give_back();  // needs the lock, as does the next
  std::byte* hand_out(std::byte* memory, std::size_t size);

  mutable std::mutex mutex_;
  std::map<std::byte*, std::size_t> sizes_;          // of all that the driver has given
  std::multimap<std::size_t, std::byte*> kept_;      // by size
  Use use_;
};

}  // namespace arignote::device
