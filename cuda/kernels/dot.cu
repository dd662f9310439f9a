// Every element of a product is summed in an order that its shape alone decides. Where the depth is
// cut into chunks, other blocks make the partial sums of each, and a second kernel joins them.
#include "kernels/dot.hpp"

#include <cmath>
#include <type_traits>

#include "kernels/half.cuh"
#include "kernels/lanes.cuh"

namespace arignote::device {
namespace {

// How deep the parts of the operands are that a block has in shared memory.
constexpr int kDepth = 16;
static_assert(kDotRun % kDepth == 0);

// Which elements there are and what comes of them, and what they are multiplied and added up as,
// the latter for all of the depth in the form kOne.
template <class A, class B>
struct Reals {
  using Left = A;
  using Right = B;
  using Result = B;
  using Number = B;
  using Wide = double;
  template <class T>
  ARN_DEVICE static T multiply_add(T a, T b, T sum) {
    return std::fma(a, b, sum);
  }
  template <class T>
  ARN_DEVICE static T add(T a, T b) {
    return a + b;
  }
};

template <class T, class Out>
struct Halves : Reals<float, float> {
  using Left = T;
  using Right = T;
  using Result = Out;
  using Wide = float;
};

// Unsigned numbers wrap, and are cut to their width in the end: signed ones have the same bits.
template <class T, bool kLogical = false>
struct Integers {
  using Left = T;
  using Right = T;
  using Result = T;
  using Number = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  using Wide = Number;
  ARN_DEVICE static Number multiply_add(Number a, Number b, Number sum) {
    return kLogical ? sum | (a & b) : sum + a * b;
  }
  ARN_DEVICE static Number add(Number a, Number b) { return kLogical ? a | b : a + b; }
};

ARN_DEVICE std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

// Some lines of an operand, of which a block brings one part after another to shared memory: there
// the elements of one depth lie together. What lies beyond the operand is zero.
template <class Element, class Number, int kLines>
class Panel {
 public:
  static constexpr int kPitch = kLines + 16 / static_cast<int>(sizeof(Number));
  struct alignas(16) Shared {
    Number items[kDepth * kPitch];
  };

  // Neighbouring threads read neighbours in memory.
  ARN_DEVICE Panel(const DotOperand& operand, std::int64_t first)
      : depth_step_(operand.depth_step) {
    const bool along_depth = operand.runs_along_depth;
    line_ = along_depth ? thread_index() / kDepth : thread_index() % kLines;
    depth_ = along_depth ? thread_index() % kDepth : thread_index() / kLines;
    next_line_ = along_depth ? kBlockThreads / kDepth : 0;
    next_depth_ = along_depth ? 0 : kBlockThreads / kLines;
    step_ = next_line_ * operand.line_step + next_depth_ * operand.depth_step;
    lines_ = static_cast<int>(least(kLines, operand.lines - first));
    data_ = reinterpret_cast<const Element*>(operand.data) + (first + line_) * operand.line_step +
            depth_ * operand.depth_step;
  }

  // Takes a part into registers …
  ARN_DEVICE void read(std::int64_t from, std::int64_t end) {
    const Element* const data = data_ + from * depth_step_;
    const int depth = static_cast<int>(least(kDepth, end - from));
    ARN_UNROLL
    for (int i = 0; i < kItems; ++i) {
      const bool is_inside = line_ + i * next_line_ < lines_ && depth_ + i * next_depth_ < depth;
      items_[i] = is_inside ? static_cast<Number>(data[i * step_]) : 0;
    }
  }
  // … and from there on.
  ARN_DEVICE void write(Shared& shared) const {
    ARN_UNROLL
    for (int i = 0; i < kItems; ++i) {
      const int line = line_ + i * next_line_;
      shared.items[(depth_ + i * next_depth_) * kPitch + line] = items_[i];
    }
  }

 private:
  static constexpr int kItems = kLines * kDepth / kBlockThreads;

  const Element* data_;  // the thread's first
  std::int64_t depth_step_;
  std::int64_t step_;  // from one of the thread's elements to the next
  int line_;
  int depth_;
  int next_line_;
  int next_depth_;
  int lines_;
  Number items_[kItems];
};

// Numbers that follow one another in shared memory, which is read in pieces of up to 16 bytes.
template <class T, int kCount>
ARN_DEVICE void fetch(const T* from, T (&to)[kCount]) {
  constexpr int kMost = 16 / static_cast<int>(sizeof(T));
  constexpr int kPiece = kCount < kMost ? kCount : kMost;
  struct alignas(sizeof(T) * kPiece) Piece {
    T items[kPiece];
  };
  ARN_UNROLL
  for (int i = 0; i < kCount; i += kPiece) {
    const Piece piece = *reinterpret_cast<const Piece*>(from + i);
    ARN_UNROLL
    for (int k = 0; k < kPiece; ++k) to[i + k] = piece.items[k];
  }
}

// Rounds a result once, after it has been added to what is there.
template <class Numbers, class Number>
ARN_DEVICE void put(const DotArgs& d, std::int64_t at, Number result) {
  using Result = typename Numbers::Result;
  Result& out = reinterpret_cast<Result*>(d.out)[at];
  out = static_cast<Result>(d.adds ? Numbers::add(static_cast<Number>(out), result) : result);
}

template <class T>
ARN_DEVICE T* partial_of(const DotArgs& d, std::int64_t chunk) {
  return reinterpret_cast<T*>(d.partial) + chunk * d.a.lines * d.b.lines;
}

// What a thread makes of a tile.
template <class Numbers, DotForm kForm>
class Sums {
 public:
  using Number = typename Numbers::Number;
  static constexpr DotTile kTile = tile_of(kForm);
  static constexpr int kAcross = kTile.columns / kTile.columns_each;
  static_assert(kAcross * kTile.rows == kBlockThreads * kTile.rows_each);

  ARN_DEVICE int row() const { return thread_index() / kAcross * kTile.rows_each; }
  ARN_DEVICE int column() const { return thread_index() % kAcross * kTile.columns_each; }

  ARN_DEVICE void add_products(const Number* left, int left_pitch, const Number* right,
                               int right_pitch) {
    ARN_UNROLL
    for (int depth = 0; depth < kDepth; ++depth) {
      Number a[kTile.rows_each];
      Number b[kTile.columns_each];
      fetch(left + depth * left_pitch + row(), a);
      fetch(right + depth * right_pitch + column(), b);
      for_each([&](int i, int j) { run_[i][j] = Numbers::multiply_add(a[i], b[j], run_[i][j]); });
    }
  }
  ARN_DEVICE void end_run() {
    for_each([&](int i, int j) {
      total_[i][j] = Numbers::add(total_[i][j], run_[i][j]);
      run_[i][j] = 0;
    });
  }
  // Calls work(position of a result, its sum).
  template <class Work>
  ARN_DEVICE void for_each_result(const DotArgs& d, std::int64_t first_row,
                                  std::int64_t first_column, Work&& work) const {
    for_each([&](int i, int j) {
      const std::int64_t at_row = first_row + row() + i;
      const std::int64_t at_column = first_column + column() + j;
      if (at_row < d.a.lines && at_column < d.b.lines) {
        work(at_row * d.b.lines + at_column, total_[i][j]);
      }
    });
  }

 private:
  template <class Work>
  ARN_DEVICE static void for_each(Work&& work) {
    ARN_UNROLL
    for (int i = 0; i < kTile.rows_each; ++i) {
      ARN_UNROLL
      for (int j = 0; j < kTile.columns_each; ++j) work(i, j);
    }
  }

  Number run_[kTile.rows_each][kTile.columns_each] = {};
  Number total_[kTile.rows_each][kTile.columns_each] = {};
};

template <class Numbers, DotForm kForm>
ARN_KERNEL_SHARING(sizeof(typename Numbers::Number) == 8 ? 1 : 2)
multiply_tiles(DotArgs d) {
  using Number = typename Numbers::Number;
  using Rows = Panel<typename Numbers::Left, Number, tile_of(kForm).rows>;
  using Columns = Panel<typename Numbers::Right, Number, tile_of(kForm).columns>;
  ARN_SHARED(typename Rows::Shared, left, 1);
  ARN_SHARED(typename Columns::Shared, right, 1);
  if (d.fault->step >= 0) return;

  const std::int64_t across = (d.b.lines - 1) / tile_of(kForm).columns + 1;
  const std::int64_t chunk = block_index() % d.chunks;
  const std::int64_t tile = block_index() / d.chunks;
  const std::int64_t row = tile / across * tile_of(kForm).rows;
  const std::int64_t column = tile % across * tile_of(kForm).columns;
  const std::int64_t first = chunk * d.chunk;
  const std::int64_t end = least(d.depth, first + d.chunk);

  Rows rows(d.a, row);
  Columns columns(d.b, column);
  Sums<Numbers, kForm> sums;
  rows.read(first, end);
  columns.read(first, end);
  for (std::int64_t depth = first; depth < end; depth += kDepth) {
    sync_threads();  // until nobody reads the part before
    rows.write(left[0]);
    columns.write(right[0]);
    sync_threads();
    // The next part is on its way meanwhile.
    if (depth + kDepth < end) {
      rows.read(depth + kDepth, end);
      columns.read(depth + kDepth, end);
    }
    sums.add_products(left[0].items, Rows::kPitch, right[0].items, Columns::kPitch);
    if ((depth - first + kDepth) % kDotRun == 0) sums.end_run();
  }
  sums.end_run();
  sums.for_each_result(d, row, column, [&](std::int64_t at, Number sum) {
    if (d.chunks == 1) {
      put<Numbers>(d, at, sum);
    } else {
      partial_of<Number>(d, chunk)[at] = sum;
    }
  });
}

template <class Element>
ARN_DEVICE Element element_of(const DotOperand& o, std::int64_t line, std::int64_t depth) {
  const auto* const data = reinterpret_cast<const Element*>(o.data);
  return data[line * o.line_step + depth * o.depth_step];
}

// A block for each result and chunk: its threads take products in turns, and their sums are joined
// as a tree.
template <class Numbers>
ARN_KERNEL multiply_lines(DotArgs d) {
  using Wide = typename Numbers::Wide;
  ARN_SHARED(Wide, shared, kBlockThreads);
  if (d.fault->step >= 0) return;
  const std::int64_t chunk = block_index() % d.chunks;
  const std::int64_t result = block_index() / d.chunks;
  const std::int64_t row = result / d.b.lines;
  const std::int64_t column = result % d.b.lines;
  const std::int64_t end = least(d.depth, (chunk + 1) * d.chunk);
  Wide sum = 0;
  for (std::int64_t at = chunk * d.chunk + thread_index(); at < end; at += kBlockThreads) {
    const auto a = static_cast<Wide>(element_of<typename Numbers::Left>(d.a, row, at));
    const auto b = static_cast<Wide>(element_of<typename Numbers::Right>(d.b, column, at));
    sum = Numbers::multiply_add(a, b, sum);
  }
  shared[thread_index()] = sum;
  sync_threads();
  for (int half = kBlockThreads / 2; half > 0; half /= 2) {
    if (thread_index() < half) {
      shared[thread_index()] = Numbers::add(shared[thread_index()], shared[thread_index() + half]);
    }
    sync_threads();
  }
  if (thread_index() != 0) return;
  if (d.chunks == 1) {
    put<Numbers>(d, result, shared[0]);
  } else {
    partial_of<Wide>(d, chunk)[result] = shared[0];
  }
}

// Lanes add up runs of chunks, and join them as a tree.
template <class Numbers, class Partial>
ARN_KERNEL join_chunks(DotArgs d, int lanes) {
  ARN_SHARED(Partial, shared, kBlockThreads);
  if (d.fault->step >= 0) return;
  const Lane at = lane_of_thread(lanes);
  const bool is_result = at.row < d.a.lines * d.b.lines;
  Partial total = 0;
  for (std::int64_t first = at.lane * kLaneRun; is_result && first < d.chunks;
       first += lanes * kLaneRun) {
    const std::int64_t end = least(d.chunks, first + kLaneRun);
    Partial sum = 0;
    for (std::int64_t chunk = first; chunk < end; ++chunk) {
      sum = Numbers::add(sum, partial_of<Partial>(d, chunk)[at.row]);
    }
    total = Numbers::add(total, sum);
  }
  shared[thread_index()] = total;
  const int first =
      join_lanes(at, [&](int a, int b) { shared[a] = Numbers::add(shared[a], shared[b]); });
  if (!is_result || at.lane != 0) return;
  put<Numbers>(d, at.row, shared[first]);
}

std::int64_t blocks_for(std::int64_t count, int of_each) { return (count - 1) / of_each + 1; }

template <class Numbers, class Partial>
int launch_with(void (*kernel)(DotArgs), const DotArgs& d, Stream stream) {
  const DotTile tile = tile_of(d.form);
  const std::int64_t tiles = blocks_for(d.a.lines, tile.rows) * blocks_for(d.b.lines, tile.columns);
  const int error = launch(kernel, {.blocks = tiles * d.chunks, .has_barriers = true}, stream, d);
  if (error != 0 || d.chunks == 1) return error;
  const std::int64_t results = d.a.lines * d.b.lines;
  const int lanes = lanes_for(d.chunks, results);
  return launch(join_chunks<Numbers, Partial>, grid_for(results, lanes), stream, d, lanes);
}

template <class Numbers, DotForm... kForms>
int launch_as(const DotArgs& d, Stream stream) {
  using Number = typename Numbers::Number;
  if (d.form == DotForm::kOne) {
    return launch_with<Numbers, typename Numbers::Wide>(multiply_lines<Numbers>, d, stream);
  }
  void (*kernel)(DotArgs) = nullptr;
  ((d.form == kForms ? static_cast<void>(kernel = multiply_tiles<Numbers, kForms>) : void()), ...);
  return launch_with<Numbers, Number>(kernel, d, stream);
}

template <class Numbers>
int launch_floats(const DotArgs& d, Stream stream) {
  return launch_as<Numbers, DotForm::kFewColumns, DotForm::kFewRows, DotForm::kReals>(d, stream);
}

template <class T>
int launch_halves(const DotArgs& d, DType out, Stream stream) {
  return out == DType::kFloat32 ? launch_floats<Halves<T, float>>(d, stream)
                                : launch_floats<Halves<T, T>>(d, stream);
}

template <class T, bool kLogical = false>
int launch_integers(const DotArgs& d, Stream stream) {
  return launch_as<Integers<T, kLogical>, DotForm::kIntegers>(d, stream);
}

}  // namespace

int launch_dot(const DotArgs& args, const DotTypes& types, Stream stream) {
  if (args.a.lines == 0 || args.b.lines == 0) return 0;
  const auto [a, b, out] = types;
  if (b == DType::kFloat16) return launch_halves<Float16>(args, out, stream);
  if (b == DType::kBFloat16) return launch_halves<BFloat16>(args, out, stream);
  if (b == DType::kFloat64) return launch_floats<Reals<double, double>>(args, stream);
  if (b == DType::kFloat32) {
    if (a == DType::kFloat32) return launch_floats<Reals<float, float>>(args, stream);
    if (a == DType::kInt8) return launch_floats<Reals<std::int8_t, float>>(args, stream);
    return launch_floats<Reals<std::uint8_t, float>>(args, stream);
  }
  if (b == DType::kBool) return launch_integers<std::uint8_t, true>(args, stream);
  switch (size_of(b)) {
    case 1: return launch_integers<std::uint8_t>(args, stream);
    case 2: return launch_integers<std::uint16_t>(args, stream);
    case 4: return launch_integers<std::uint32_t>(args, stream);
    default: return launch_integers<std::uint64_t>(args, stream);
  }
}

std::size_t partial_bytes(DotForm form, DType b) {
  const bool is_wide = b == DType::kFloat32 && form == DotForm::kOne;
  return is_wide ? sizeof(double) : size_of(b) < 4 ? 4 : size_of(b);
}

}  // namespace arignote::device
