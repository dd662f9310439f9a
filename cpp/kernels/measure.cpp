#include "kernels/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "core/buffer.hpp"
#include "core/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/measure.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace arignote::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Eight independent sums: more than one load is always under way.
float sum_of(const float* data, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  for (std::size_t i = 0; i + 8 * lanes <= count; i += 8 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, data + i));
    s1 = hn::Add(s1, hn::LoadU(d, data + i + lanes));
    s2 = hn::Add(s2, hn::LoadU(d, data + i + 2 * lanes));
    s3 = hn::Add(s3, hn::LoadU(d, data + i + 3 * lanes));
    s4 = hn::Add(s4, hn::LoadU(d, data + i + 4 * lanes));
    s5 = hn::Add(s5, hn::LoadU(d, data + i + 5 * lanes));
    s6 = hn::Add(s6, hn::LoadU(d, data + i + 6 * lanes));
    s7 = hn::Add(s7, hn::LoadU(d, data + i + 7 * lanes));
  }
  const auto low = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
  const auto high = hn::Add(hn::Add(s4, s5), hn::Add(s6, s7));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

// Ten chains hide the latency of the multiply-add units; returns the operations done. Each has a
// start of its own: a compiler computes chains that are equal once.
template <class T>
double multiply_add(std::size_t rounds, T start, double* result) {
  const hn::ScalableTag<T> d;
  const auto x = hn::Set(d, static_cast<T>(0.999));
  const auto chain = [&](int number)
                         HWY_ATTR { return hn::Set(d, start + static_cast<T>(number)); };
  auto a0 = chain(0), a1 = chain(1), a2 = chain(2), a3 = chain(3), a4 = chain(4);
  auto a5 = chain(5), a6 = chain(6), a7 = chain(7), a8 = chain(8), a9 = chain(9);
  for (std::size_t i = 0; i < rounds; ++i) {
    a0 = hn::MulAdd(a0, x, x);
    a1 = hn::MulAdd(a1, x, x);
    a2 = hn::MulAdd(a2, x, x);
    a3 = hn::MulAdd(a3, x, x);
    a4 = hn::MulAdd(a4, x, x);
    a5 = hn::MulAdd(a5, x, x);
    a6 = hn::MulAdd(a6, x, x);
    a7 = hn::MulAdd(a7, x, x);
    a8 = hn::MulAdd(a8, x, x);
    a9 = hn::MulAdd(a9, x, x);
  }
  const auto low = hn::Add(hn::Add(a0, a1), hn::Add(a2, hn::Add(a3, a4)));
  const auto high = hn::Add(hn::Add(a5, a6), hn::Add(a7, hn::Add(a8, a9)));
  *result = static_cast<double>(hn::GetLane(hn::Add(low, high)));
  return 20.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

}  // namespace

float sum_floats(const float* data, std::size_t count) { return sum_of(data, count); }

double multiply_add_f32(std::size_t rounds, double start, double* result) {
  return multiply_add<float>(rounds, static_cast<float>(start), result);
}

double multiply_add_f64(std::size_t rounds, double start, double* result) {
  return multiply_add<double>(rounds, start, result);
}

}  // namespace arignote::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace arignote {
namespace {

HWY_EXPORT(sum_floats);
HWY_EXPORT(multiply_add_f32);
HWY_EXPORT(multiply_add_f64);

constexpr int kRepeats = 5;

// Seconds of the fastest of a few runs, after one to warm up.
template <class Work>
double fastest(const Work& work) {
  work();
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRepeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// As long as a task may seem to take: no thread is left asleep.
constexpr double kWakeAll = 1e9;

}  // namespace

double measure_bandwidth(std::size_t bytes) {
  constexpr std::size_t kTask = std::size_t{1} << 20;
  Buffer buffer;
  if (bytes == 0 || !buffer.reserve(bytes)) return 0;
  const std::size_t tasks = (bytes + kTask - 1) / kTask;
  std::vector<float> sums(tasks);
  const auto part = [&](std::int64_t task) {
    const std::size_t begin = static_cast<std::size_t>(task) * kTask;
    return std::pair{buffer.data() + begin, std::min(kTask, bytes - begin)};
  };
  const auto fill_part = [&](std::int64_t task) {
    const auto [data, size] = part(task);
    std::memset(data, 1, size);
  };
  const auto sum = HWY_DYNAMIC_DISPATCH(sum_floats);
  const auto sum_part = [&](std::int64_t task) {
    const auto [data, size] = part(task);
    sums[static_cast<std::size_t>(task)] =
        sum(reinterpret_cast<const float*>(data), size / sizeof(float));
  };
  parallel_for(static_cast<std::int64_t>(tasks), fill_part, kWakeAll);
  const double seconds =
      fastest([&] { parallel_for(static_cast<std::int64_t>(tasks), sum_part, kWakeAll); });
  return static_cast<double>(bytes) / seconds * 1e-9;
}

double measure_fma_rate(DType dtype) {
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) return 0;
  constexpr std::size_t kRounds = 500'000;
  const auto run = dtype == DType::kFloat32 ? HWY_DYNAMIC_DISPATCH(multiply_add_f32)
                                            : HWY_DYNAMIC_DISPATCH(multiply_add_f64);
  const int threads = num_threads();
  std::vector<double> results(static_cast<std::size_t>(threads));
  std::vector<double> operations(results.size());
  const double seconds = fastest([&] {
    const auto run_one = [&](std::int64_t task) {
      const auto i = static_cast<std::size_t>(task);
      operations[i] = run(kRounds, 0.5, &results[i]);
    };
    parallel_for(threads, run_one, kWakeAll);
  });
  return operations[0] * threads / seconds * 1e-9;
}

}  // namespace arignote
#endif  // HWY_ONCE
