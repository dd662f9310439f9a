// Random numbers.
//
//   uniform  state -> out, next   state = [key, key, counter] of a Philox generator: out is filled
//                                 with numbers in [0, 1) from the blocks after the counter, which
//                                 is that of the last one of them in next
#include <algorithm>
#include <memory>

#include "core/philox.hpp"
#include "kernels/strided.hpp"
#include "kernels/tables.hpp"

namespace arignote {
namespace {

constexpr std::int64_t kStateWords = 3;
constexpr double kBlockNanoseconds = 10.0;
constexpr std::int64_t kTaskBlocks = 4096;

// Numbers first … last - 1 of out, from where a block begins.
template <class T>
void fill(const PhiloxState& state, std::byte* out, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t kNumbers = kPhiloxNumbers<T>;
  for (std::int64_t at = first; at < last; at += kNumbers) {
    const PhiloxBlock block = philox_block(state, static_cast<std::uint64_t>(at / kNumbers));
    T numbers[kNumbers];
    for (int i = 0; i < kNumbers; ++i) numbers[i] = philox_number<T>(block, i);
    const auto bytes = static_cast<std::size_t>(std::min(kNumbers, last - at)) * sizeof(T);
    std::memcpy(out + at * static_cast<std::int64_t>(sizeof(T)), numbers, bytes);
  }
}

template <class T>
class Uniform final : public Kernel {
 public:
  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    if (inputs[0].shape[0] != kStateWords || outputs[1].shape[0] != kStateWords) {
      return Status::bad_plan("[uniform] state and next must have three elements");
    }
    stride_ = inputs[0].strides[0];
    count_ = outputs[0].size();
    blocks_ = count_ == 0 ? 0 : (count_ - 1) / kPhiloxNumbers<T> + 1;
    return {};
  }
  double cost() const override { return 20.0 + static_cast<double>(blocks_) * kBlockNanoseconds; }

  Status run(const RunArgs& args) noexcept override {
    const std::byte* const words = args.inputs[0];
    PhiloxState state{{load<std::uint64_t>(words), load<std::uint64_t>(words + stride_)},
                      load<std::uint64_t>(words + 2 * stride_)};
    parallel_ranges(count_, kTaskBlocks * kPhiloxNumbers<T>,
                    [&](std::int64_t first, std::int64_t last) {
                      fill<T>(state, args.outputs[0], first, last);
                    });
    state.counter += static_cast<std::uint64_t>(blocks_);
    std::memcpy(args.outputs[1], &state, sizeof(state));
    return {};
  }

 private:
  std::int64_t stride_ = 0;
  std::int64_t count_ = 0;
  std::int64_t blocks_ = 0;
};

std::unique_ptr<Kernel> make_uniform(const StepSpec& spec, Status& status) {
  const bool well_formed = spec.input_dtypes == std::vector{DType::kUInt64} &&
                           spec.input_ndims[0] == 1 && spec.output_dtypes.size() == 2 &&
                           spec.output_dtypes[1] == DType::kUInt64 && spec.output_ndims[1] == 1 &&
                           shares_only(spec, {});
  if (well_formed && spec.output_dtypes[0] == DType::kFloat32) {
    return std::make_unique<Uniform<float>>();
  }
  if (well_formed && spec.output_dtypes[0] == DType::kFloat64) {
    return std::make_unique<Uniform<double>>();
  }
  status = Status::bad_plan("[uniform] uint64 vectors state and next, out float32 or float64");
  return nullptr;
}

constexpr KernelEntry kEntries[] = {{"uniform", &make_uniform}};

}  // namespace

std::span<const KernelEntry> random_kernels() { return kEntries; }

}  // namespace arignote
