#include "core/parallel.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "core/buffer.hpp"

namespace arignote {
namespace {

using Clock = std::chrono::steady_clock;

// A worker and its caller may come to share a core, each of them running while the other waits: to
// the kernel no core has too much to do, and others stay idle. The worker then leaves, once in so
// long at most, as it would be futile on a busy machine.
constexpr std::chrono::milliseconds kBetweenMoves{5};

// Long enough to bridge the gap between two training steps, short enough not to take a core that
// somebody else needs.
constexpr std::chrono::microseconds kSpin{100};

// In nanoseconds, for each worker to wake. It takes tens of microseconds until a woken thread
// works, on a busy machine at the cost of the one that woke it; and costs are rough.
constexpr double kWorthWaking = 150'000;

thread_local bool inside_task = false;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Polls until `done()` or until the spinning time is over; says whether it is done.
template <class Done>
bool spin_until(const Done& done) {
  const auto deadline = Clock::now() + kSpin;
  while (true) {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      pause();
    }
    if (Clock::now() >= deadline) return false;
  }
}

int available_cores() {
#ifdef __linux__
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0) return std::max(1, CPU_COUNT(&cores));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// The core that this thread runs on, or -1.
int current_core() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// Moves this thread off a core, if it may run on others, where it then may go as before.
void leave_core([[maybe_unused]] int core) {
#ifdef __linux__
  cpu_set_t cores;
  if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof(cores), &cores) != 0) return;
  cpu_set_t others = cores;
  CPU_CLR(core, &others);
  if (CPU_COUNT(&others) == 0) return;
  if (sched_setaffinity(0, sizeof(others), &others) == 0) {
    sched_setaffinity(0, sizeof(cores), &cores);
  }
#endif
}

void run_inline(std::int64_t count, const TaskRef& task) {
  const bool before = inside_task;
  inside_task = true;
  for (std::int64_t i = 0; i < count; ++i) task(i);
  inside_task = before;
}

// Task numbers from first to last - 1, of which the thread that they are meant for takes the first
// and any other the last. So a thread mostly runs tasks that follow one another, on data that do;
// and on the same ones in the next job of that kind, which its core's cache may hold.
class alignas(kAlignment) Share {
 public:
  void set(std::uint64_t first, std::uint64_t last) { range_ = first << kBits | last; }
  bool take(bool is_own, std::int64_t& index) {
    std::uint64_t range = range_.load(std::memory_order_relaxed);
    while (true) {
      const std::uint64_t first = range >> kBits;
      const std::uint64_t last = range & kMost;
      if (first >= last) return false;
      index = static_cast<std::int64_t>(is_own ? first : last - 1);
      const std::uint64_t rest = is_own ? range + (std::uint64_t{1} << kBits) : range - 1;
      if (range_.compare_exchange_weak(range, rest, std::memory_order_relaxed)) return true;
    }
  }

  static constexpr std::int64_t kMost = 0xffffffff;

 private:
  static constexpr int kBits = 32;

  std::atomic<std::uint64_t> range_{0};
};

// One job at a time. A worker joins the open job under the mutex, takes task numbers from its share
// and then from those of others until all are used up, and leaves; the caller works too, closes the
// job and waits for the workers that are still inside.
class Pool {
 public:
  // False when another thread is using the pool, or the process is about to end.
  bool try_run(std::int64_t count, const TaskRef& task, double nanoseconds, int threads) {
    std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner || ended_ || count > Share::kMost) return false;
    const int worth = worth_waking(count, nanoseconds, threads - 1);
    if (worth == 0 && all_sleep()) {
      run_inline(count, task);
    } else {
      resize(threads - 1);
      open(count, task, worth);
      work(task, 0);
      close();
    }
    last_end_ = Clock::now();
    return true;
  }

  void end() {
    std::scoped_lock owner(owner_);
    ended_ = true;
    resize(0);
  }

 private:
  // How many workers this job is worth: none if the caller is done before they would have begun,
  // unless jobs follow one another so soon that a worker once awake stays awake.
  int worth_waking(std::int64_t count, double nanoseconds, int workers) {
    if (Clock::now() - last_end_ > kSpin) recent_work_ = 0;
    recent_work_ += static_cast<double>(count) * nanoseconds;
    const double most = std::min(static_cast<double>(count - 1), static_cast<double>(workers));
    return static_cast<int>(std::min(recent_work_ / kWorthWaking, most));
  }

  bool all_sleep() {
    std::scoped_lock lock(mutex_);
    return sleepers_ == static_cast<int>(workers_.size());
  }

  // Those that are awake count among the `worth` workers that the work is worth.
  void open(std::int64_t count, const TaskRef& task, int worth) {
    int wanted;
    {
      std::scoped_lock lock(mutex_);
      task_ = &task;
      callers_core_ = current_core();
      const int awake = static_cast<int>(workers_.size()) - sleepers_;
      wanted = std::clamp(worth - awake, 0, sleepers_);
      share_out(count, 1 + awake + wanted);
      joined_ = 0;
      job_.fetch_add(1, std::memory_order_release);
    }
    for (; wanted > 0; --wanted) wake_.notify_one();
  }

  void share_out(std::int64_t count, int threads) {
    shared_by_ = static_cast<std::size_t>(threads);
    for (std::size_t i = 0; i < shared_by_; ++i) {
      shares_[i].set(count * i / shared_by_, count * (i + 1) / shared_by_);
    }
  }

  void close() {
    {
      std::scoped_lock lock(mutex_);
      task_ = nullptr;
    }
    const auto idle = [this] { return inside_.load(std::memory_order_acquire) == 0; };
    if (spin_until(idle)) return;
    std::unique_lock lock(mutex_);
    left_.wait(lock, idle);
  }

  void work(const TaskRef& task, std::size_t own) {
    inside_task = true;
    for (std::size_t i = 0; i < shared_by_; ++i) {
      Share& share = shares_[(own + i) % shared_by_];
      for (std::int64_t index; share.take(i == 0, index);) task(index);
    }
    inside_task = false;
  }

  // Where all take part, each has the same share of every job.
  std::size_t join(std::size_t worker) {
    ++joined_;
    return shared_by_ > workers_.size() ? 1 + worker : joined_;
  }

  void serve(std::size_t worker) {
    std::uint64_t seen = 0;
    Clock::time_point moved{};
    const auto changed = [&] { return stop_ || job_.load(std::memory_order_acquire) != seen; };
    while (true) {
      const bool came = spin_until(changed);
      std::unique_lock lock(mutex_);
      if (!came) {
        ++sleepers_;
        wake_.wait(lock, changed);
        --sleepers_;
      }
      if (stop_) return;
      seen = job_.load(std::memory_order_relaxed);
      if (task_ == nullptr) continue;
      const TaskRef task = *task_;
      const std::size_t own = join(worker);
      const int callers_core = callers_core_;
      inside_.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      if (callers_core == current_core() && Clock::now() - moved > kBetweenMoves) {
        leave_core(callers_core);
        moved = Clock::now();
      }
      work(task, own);
      leave();
    }
  }

  void leave() {
    // Under the mutex, so that the caller cannot miss it between its check and its wait.
    std::scoped_lock lock(mutex_);
    if (inside_.fetch_sub(1, std::memory_order_release) == 1) left_.notify_one();
  }

  void resize(int workers) {
    const auto wanted = static_cast<std::size_t>(workers);
    if (workers_.size() == wanted ||
        (workers_.size() == refused_above_ && wanted > refused_above_)) {
      return;
    }
    stop_workers();
    start_workers(wanted);
  }

  void stop_workers() {
    {
      std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stop_ = false;
  }

  void start_workers(std::size_t wanted) {
    // Signals are for the application's threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    refused_above_ = SIZE_MAX;
    try {
      if (shares_.size() <= wanted) shares_ = std::vector<Share>(wanted + 1);
      for (std::size_t i = 0; i < wanted; ++i) {
        workers_.emplace_back([this, i] { serve(i); });
        count_allocation();
      }
    } catch (const std::exception&) {
      // A limit on threads or memory: the work is done by those there are.
      refused_above_ = workers_.size();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  std::mutex owner_;  // held by the thread whose job is running
  std::mutex mutex_;  // guards the fields up to sleepers_
  std::condition_variable wake_, left_;
  const TaskRef* task_ = nullptr;
  std::size_t shared_by_ = 1;  // of shares_, those of the open job
  std::size_t joined_ = 0;
  int callers_core_ = -1;
  int sleepers_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> job_{0};
  std::atomic<int> inside_{0};
  std::vector<Share> shares_ = std::vector<Share>(1);
  std::vector<std::thread> workers_;
  Clock::time_point last_end_{};
  double recent_work_ = 0;  // in nanoseconds, of jobs one soon after the other
  std::size_t refused_above_ = SIZE_MAX;
  bool ended_ = false;
};

std::atomic<Pool*> current_pool{nullptr};
std::atomic<int> configured_threads{0};

void end_pool() {
  if (Pool* pool = current_pool.load(std::memory_order_acquire)) pool->end();
}

// The child of a fork has none of the workers, and whatever lock they held stays locked: it forgets
// the pool (the memory is lost on purpose) and starts its own on first use.
void forget_pool() {
  current_pool.store(nullptr, std::memory_order_release);
  inside_task = false;
}

Pool* get_pool() {
  Pool* pool = current_pool.load(std::memory_order_acquire);
  if (pool != nullptr) return pool;
  static std::once_flag handlers;
  std::call_once(handlers, [] {
    pthread_atfork(nullptr, nullptr, forget_pool);
    std::atexit(end_pool);
  });
  auto made = std::make_unique<Pool>();
  count_allocation();
  if (!current_pool.compare_exchange_strong(pool, made.get(), std::memory_order_acq_rel)) {
    return pool;
  }
  return made.release();
}

}  // namespace

void parallel_for(std::int64_t count, TaskRef task, double nanoseconds) {
  if (count == 1) {
    task(0);
  } else if (count > 1) {
    const int threads = num_threads();
    const bool serial = threads == 1 || inside_task;
    if (serial || !get_pool()->try_run(count, task, nanoseconds, threads)) run_inline(count, task);
  }
}

void set_num_threads(int count) {
  configured_threads.store(count > 0 ? count : available_cores(), std::memory_order_relaxed);
}

int num_threads() {
  int threads = configured_threads.load(std::memory_order_relaxed);
  if (threads == 0) {
    set_num_threads(0);
    threads = configured_threads.load(std::memory_order_relaxed);
  }
  return threads;
}

}  // namespace arignote
