// argmax, argmin  x -> out int64   ints = axes reduced, ascending
//
// The index, in C order over the reduced axes, of the first extreme. A NaN counts as the extreme.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/strided.hpp"
#include "kernels/tables.hpp"

namespace arignote {
namespace {

template <class T, bool kMin>
bool beats(T value, T best) noexcept {
  const bool ahead = kMin ? value < best : value > best;
  if constexpr (!std::is_floating_point_v<T>) return ahead;
  return ahead | ((value != value) & (best == best));
}

// The extreme of kScanBlock elements without gaps, a NaN if there is one. Several lanes, since one
// running extreme would be a chain of dependent comparisons. A sum that is not NaN says, for less
// work than comparisons, that no element is.
constexpr std::int64_t kScanBlock = 512;

template <class T, bool kMin>
T block_extreme(const std::byte* x) noexcept {
  constexpr std::int64_t kLanes = 128 / sizeof(T);
  constexpr auto kItem = static_cast<std::int64_t>(sizeof(T));
  T lanes[kLanes];
  T sums[kLanes] = {};
  std::memcpy(lanes, x, sizeof(lanes));
  for (std::int64_t i = 0; i < kScanBlock; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const T value = load<T>(x + (i + lane) * kItem);
      if constexpr (kMin) lanes[lane] = value < lanes[lane] ? value : lanes[lane];
      if constexpr (!kMin) lanes[lane] = value > lanes[lane] ? value : lanes[lane];
      if constexpr (std::is_floating_point_v<T>) sums[lane] += value;
    }
  }
  T best = lanes[0];
  T sum{};
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    best = beats<T, kMin>(lanes[lane], best) ? lanes[lane] : best;
    if constexpr (std::is_floating_point_v<T>) sum += sums[lane];
  }
  for (std::int64_t i = 0; sum != sum && i < kScanBlock; ++i) {
    const T value = load<T>(x + i * kItem);
    best = beats<T, kMin>(value, best) ? value : best;
  }
  return best;
}

// A run of elements, and the index of its first.
struct Stretch {
  const std::byte* x;
  std::int64_t stride;
  std::int64_t count;
  std::int64_t index;
};

template <class T>
struct Best {
  T value;
  std::int64_t index;
};

template <class T, bool kMin>
Best<T> scan_stretch(const Stretch& run, Best<T> best) noexcept {
  std::int64_t i = 0;
  if (run.stride == static_cast<std::int64_t>(sizeof(T))) {
    for (; i + kScanBlock <= run.count; i += kScanBlock) {
      const std::byte* block = run.x + i * run.stride;
      const T extreme = block_extreme<T, kMin>(block);
      if (!beats<T, kMin>(extreme, best.value)) continue;
      std::int64_t at = 0;
      for (T value; value = load<T>(block + at * run.stride), value == value && value != extreme;)
        ++at;
      best = {extreme, run.index + i + at};
    }
  }
  for (; i < run.count; ++i) {
    const T value = load<T>(run.x + i * run.stride);
    const bool better = beats<T, kMin>(value, best.value);
    best.value = better ? value : best.value;
    best.index = better ? run.index + i : best.index;
  }
  return best;
}

// The index of the extreme among positions first … last - 1 (at least one) of the reduced axes.
template <class T, bool kMin>
std::int64_t scan(const std::byte* x, const Axes<1>& reduced, std::int64_t first,
                  std::int64_t last) noexcept {
  Best<T> best{};
  std::int64_t at = first;
  for_each_run(reduced, first, last, [&](const auto& offsets, std::int64_t count) {
    const std::byte* run = x + offsets[0];
    if (at == first) best = {load<T>(run), at};
    best = scan_stretch<T, kMin>({run, reduced.run_stride(0), count, at}, best);
    at += count;
  });
  return best.index;
}

// Of candidates in ascending order, the index of the extreme.
template <class T, bool kMin>
std::int64_t choose(const std::byte* x, const Axes<1>& reduced, const std::int64_t* candidates,
                    std::int64_t count) noexcept {
  Best<T> best{};
  for (std::int64_t i = 0; i < count; ++i) {
    for_each_run(reduced, candidates[i], candidates[i] + 1, [&](const auto& offsets, std::int64_t) {
      const T value = load<T>(x + offsets[0]);
      if (i == 0 || beats<T, kMin>(value, best.value)) best = {value, candidates[i]};
    });
  }
  return best.index;
}

// For neighbouring kept elements (at most kColumns): their extremes over all reduced positions, one
// of each in turn.
constexpr std::int64_t kColumns = 128;

// Positions as wide as the elements, so that both fill vectors alike.
template <class T>
using Position = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

template <class T, bool kMin>
struct ColumnBests {
  T values[kColumns];
  Position<T> positions[kColumns];

  // With a constant stride the compiler can use vectors.
  void update(const std::byte* row, std::int64_t stride, std::int64_t columns,
              Position<T> at) noexcept {
    for (std::int64_t column = 0; column < columns; ++column) {
      const T value = load<T>(row + column * stride);
      const bool better = at == 0 || beats<T, kMin>(value, values[column]);
      values[column] = better ? value : values[column];
      positions[column] = better ? at : positions[column];
    }
  }
};

template <class T, bool kMin>
void scan_columns(const std::byte* x, std::int64_t stride, std::int64_t columns,
                  const Axes<1>& reduced, std::int64_t* indices) noexcept {
  constexpr auto kItem = static_cast<std::int64_t>(sizeof(T));
  ColumnBests<T, kMin> bests;
  Position<T> at = 0;
  for_each_run(reduced, 0, reduced.size(), [&](const auto& offsets, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i, ++at) {
      const std::byte* row = x + offsets[0] + i * reduced.run_stride(0);
      if (stride == kItem) {
        bests.update(row, kItem, columns, at);
      } else {
        bests.update(row, stride, columns, at);
      }
    }
  });
  std::copy(bests.positions, bests.positions + columns, indices);
}

struct Functions {
  std::int64_t (*scan)(const std::byte*, const Axes<1>&, std::int64_t, std::int64_t) noexcept;
  std::int64_t (*choose)(const std::byte*, const Axes<1>&, const std::int64_t*,
                         std::int64_t) noexcept;
  void (*scan_columns)(const std::byte*, std::int64_t, std::int64_t, const Axes<1>&,
                       std::int64_t*) noexcept;
};

template <bool kMin>
bool find_functions(DType dtype, Functions& functions) {
  return visit_num(dtype, [&]<class Named>(std::type_identity<Named>) {
    using T = std::conditional_t<std::is_same_v<Named, bool>, std::uint8_t, Named>;
    functions = {&scan<T, kMin>, &choose<T, kMin>, &scan_columns<T, kMin>};
  });
}

class ArgExtreme final : public Kernel {
 public:
  ArgExtreme(const StepSpec& spec, const Functions& functions)
      : functions_(functions), item_(static_cast<std::int64_t>(size_of(spec.input_dtypes[0]))) {
    for (const std::int64_t axis : spec.ints) reduces_[static_cast<std::size_t>(axis)] = true;
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    const Layout& x = inputs[0];
    const Layout& out = outputs[0];
    kept_.ndim = reduced_.ndim = 0;
    std::size_t out_axis = 0;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(x.ndim); ++axis) {
      if (reduces_[axis]) {
        reduced_.add(x.shape[axis], {x.strides[axis]});
        continue;
      }
      if (x.shape[axis] != out.shape[out_axis]) {
        return Status::bad_plan("[argmax] out must have the shape of the axes that are kept");
      }
      kept_.add(x.shape[axis], {x.strides[axis], out.strides[out_axis]});
      ++out_axis;
    }
    kept_.join();
    reduced_.join();
    if (reduced_.size() == 0 && kept_.size() > 0) {
      return Status::bad_plan("[argmax] the reduced axes must not be empty");
    }
    plan_work();
    return {};
  }
  std::size_t workspace_bytes() const override {
    return pieces_ > 1 ? static_cast<std::size_t>(kept_.size() * pieces_) * sizeof(std::int64_t)
                       : 0;
  }
  double cost() const override {
    return 20.0 + static_cast<double>(kept_.size()) * (10.0 + static_cast<double>(reduced_.size()));
  }

  Status run(const RunArgs& args) noexcept override {
    if (by_columns_) {
      run_columns(args);
    } else if (pieces_ > 1) {
      run_pieces(args);
    } else {
      run_rows(args);
    }
    return {};
  }

 private:
  void plan_work() {
    const std::int64_t run =
        kept_.ndim == 0 ? 1 : kept_.shape[static_cast<std::size_t>(kept_.ndim - 1)];
    // Side by side in memory, or so few to choose from that the choices overlap better this way.
    constexpr std::int64_t kShort = 32;
    by_columns_ = run >= 8 && reduced_.size() <= INT32_MAX &&
                  (std::abs(kept_.run_stride(0)) < std::abs(reduced_.run_stride(0)) ||
                   reduced_.size() <= kShort);
    // With few results to find, the positions of each are shared out.
    constexpr std::int64_t kFew = 16;
    constexpr std::int64_t kMostPieces = 64;
    piece_ = std::max(items_per_task(item_), (reduced_.size() + kMostPieces - 1) / kMostPieces);
    pieces_ = kept_.size() < kFew ? (reduced_.size() + piece_ - 1) / piece_ : 1;
    grain_ = items_per_task(item_ * reduced_.size() + 16);
  }

  void run_rows(const RunArgs& args) const noexcept {
    parallel_ranges(kept_.size(), grain_, [&](std::int64_t first, std::int64_t last) {
      for_each_run(kept_, first, last, [&](const auto& offsets, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
          const std::byte* x = args.inputs[0] + offsets[0] + i * kept_.run_stride(0);
          store(args.outputs[0] + offsets[1] + i * kept_.run_stride(1),
                functions_.scan(x, reduced_, 0, reduced_.size()));
        }
      });
    });
  }

  void run_pieces(const RunArgs& args) const noexcept {
    auto* candidates = reinterpret_cast<std::int64_t*>(args.workspace);
    const auto at = [&](std::int64_t position, auto&& visit) {
      for_each_run(kept_, position, position + 1, [&](const auto& offsets, std::int64_t) {
        visit(args.inputs[0] + offsets[0], args.outputs[0] + offsets[1]);
      });
    };
    parallel_for(kept_.size() * pieces_, [&](std::int64_t task) {
      const std::int64_t first = task % pieces_ * piece_;
      at(task / pieces_, [&](const std::byte* x, std::byte*) {
        candidates[task] =
            functions_.scan(x, reduced_, first, std::min(reduced_.size(), first + piece_));
      });
    });
    for (std::int64_t position = 0; position < kept_.size(); ++position) {
      at(position, [&](const std::byte* x, std::byte* out) {
        store(out, functions_.choose(x, reduced_, candidates + position * pieces_, pieces_));
      });
    }
  }

  void run_columns(const RunArgs& args) const noexcept {
    parallel_ranges(
        kept_.size(), std::max(kColumns, grain_), [&](std::int64_t first, std::int64_t last) {
          for_each_run(kept_, first, last, [&](const auto& offsets, std::int64_t count) {
            for (std::int64_t done = 0; done < count; done += kColumns) {
              const std::int64_t columns = std::min(kColumns, count - done);
              std::int64_t indices[kColumns];
              functions_.scan_columns(args.inputs[0] + offsets[0] + done * kept_.run_stride(0),
                                      kept_.run_stride(0), columns, reduced_, indices);
              for (std::int64_t i = 0; i < columns; ++i) {
                store(args.outputs[0] + offsets[1] + (done + i) * kept_.run_stride(1), indices[i]);
              }
            }
          });
        });
  }

  Functions functions_;
  std::int64_t item_;
  std::array<bool, kMaxDims> reduces_{};
  Axes<2> kept_;  // x and out
  Axes<1> reduced_;
  bool by_columns_ = false;
  std::int64_t grain_ = 1;   // kept positions of a task
  std::int64_t piece_ = 1;   // reduced positions of a task
  std::int64_t pieces_ = 1;
};

bool well_formed(const StepSpec& spec) {
  if (spec.input_dtypes.size() != 1 || spec.output_dtypes.size() != 1 ||
      spec.output_dtypes[0] != DType::kInt64 || !shares_only(spec, {})) {
    return false;
  }
  std::int64_t last = -1;
  for (const std::int64_t axis : spec.ints) {
    if (axis <= last || axis >= spec.input_ndims[0]) return false;
    last = axis;
  }
  return spec.output_ndims[0] == spec.input_ndims[0] - static_cast<int>(spec.ints.size());
}

template <bool kMin>
std::unique_ptr<Kernel> make_arg_extreme(const StepSpec& spec, Status& status) {
  Functions functions{};
  if (!well_formed(spec) || !find_functions<kMin>(spec.input_dtypes[0], functions)) {
    status = Status::bad_plan("[argmax] a number array x, int64 out, ints = ascending axes of x");
    return nullptr;
  }
  return std::make_unique<ArgExtreme>(spec, functions);
}

constexpr KernelEntry kEntries[] = {{"argmax", &make_arg_extreme<false>},
                                    {"argmin", &make_arg_extreme<true>}};

}  // namespace

std::span<const KernelEntry> argmax_kernels() { return kEntries; }

}  // namespace arignote
