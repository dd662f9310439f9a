// Matrix and vector products: see dot_shape.hpp.
//
// Floating-point numbers have kernels for a matrix of few columns and for any other, integers are
// multiplied by the definition. Operands that these cannot read are first copied to the workspace.
// With float32, a may consist of bytes, which the kernels for few columns read as they are. Halves
// are multiplied as float32.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "core/buffer.hpp"
#include "kernels/block.hpp"
#include "kernels/dot_shape.hpp"
#include "kernels/matrix_product.hpp"
#include "kernels/narrow_dot.hpp"
#include "kernels/product.hpp"
#include "kernels/product_rows.hpp"
#include "kernels/strided.hpp"
#include "kernels/tables.hpp"
#include "kernels/transfer.hpp"

namespace arignote {
namespace {

// An axis of length one may have any stride: here it gets one that fits the other axis.
Layout with_fitting_strides(Layout matrix) {
  const auto item = static_cast<std::int64_t>(size_of(matrix.dtype));
  if (matrix.shape[1] == 1) matrix.strides[1] = item;
  if (matrix.shape[0] == 1) {
    matrix.strides[0] = matrix.strides[1] == item ? matrix.shape[1] * item : item;
  }
  return matrix;
}

Layout packed(Layout matrix) {
  matrix.strides[1] = static_cast<std::int64_t>(size_of(matrix.dtype));
  matrix.strides[0] = matrix.shape[1] * matrix.strides[1];
  return matrix;
}

enum class Need { kAnySteps, kDenseRows };

// A matrix operand, or its packed copy where its strides are not what the product needs.
class Operand {
 public:
  explicit Operand(DType dtype) : copy_(Update::kSet, dtype) {}

  void plan(const Layout& given, Need need) noexcept {
    layout_ = with_fitting_strides(given);
    copied_ = !serves(layout_, need);
    if (!copied_) return;
    copy_.plan(packed(layout_), layout_);
    layout_ = with_fitting_strides(packed(layout_));
  }
  std::size_t workspace_bytes() const {
    return copied_ ? align_up(static_cast<std::size_t>(layout_.size()) * size_of(layout_.dtype))
                   : 0;
  }

  template <class T>
  Factor<T> ready(const std::byte* data, std::byte* workspace) const noexcept {
    constexpr auto kItem = static_cast<std::int64_t>(sizeof(T));
    if (copied_) copy_.run(workspace, data);
    return {reinterpret_cast<const T*>(copied_ ? workspace : data), layout_.strides[0] / kItem,
            layout_.strides[1] / kItem};
  }

 private:
  static bool serves(const Layout& matrix, Need need) {
    const auto item = static_cast<std::int64_t>(size_of(matrix.dtype));
    const bool has_steps = matrix.strides[0] % item == 0 && matrix.strides[1] % item == 0;
    return has_steps && (need == Need::kAnySteps || matrix.strides[1] == item);
  }

  Transfer copy_;
  Layout layout_;
  bool copied_ = false;
};

// Integers are multiplied as unsigned T.
template <class T, bool kLogical = false>
class Product {
 public:
  explicit Product(DType dtype) : a_(dtype), b_(dtype) {}

  void plan(const Layout& a, const Layout& b) noexcept {
    shape_ = {.m = a.shape[0], .n = b.shape[1], .k = a.shape[1]};
    plain_ = shape_.multiplications() <= kTiny;
    a_.plan(a, Need::kAnySteps);
    b_.plan(b, kIsReal ? Need::kAnySteps : Need::kDenseRows);
    if constexpr (kIsReal) {
      if (!plain_) real_.plan(shape_);
    }
  }
  std::size_t workspace_bytes() const {
    std::size_t bytes = a_.workspace_bytes() + b_.workspace_bytes();
    if constexpr (kIsReal) {
      if (!plain_) bytes += align_up(real_.workspace_bytes());
    }
    return bytes;
  }
  double cost() const { return 50.0 + static_cast<double>(shape_.multiplications()) * 0.03; }

  // Null if the product is better written.
  const RowSource* rows() {
    if constexpr (kIsReal) return !plain_ && rows_.plan(shape_) ? &rows_ : nullptr;
    return nullptr;
  }

  // Whether it does so whatever k is.
  bool can_add() const { return kIsReal && shape_.m * shape_.n > kTiny; }

  void run(const RunArgs& args) noexcept {
    if (shape_.m == 0 || shape_.n == 0) return;
    std::byte* workspace = args.workspace;
    const Factor<T> a = a_.template ready<T>(args.inputs[0], workspace);
    workspace += a_.workspace_bytes();
    const Factor<T> b = b_.template ready<T>(args.inputs[1], workspace);
    workspace += b_.workspace_bytes();
    T* const out = reinterpret_cast<T*>(args.outputs[0]);
    if constexpr (!kIsReal) {
      integer_product<T, kLogical>(shape_, a, b, {out, shape_.n});
    } else if (args.left != 0) {
      rows_.take(a, b);
    } else if (plain_) {
      plain_product(shape_, a, b, {out, shape_.n});
    } else {
      real_.run(a, b, out, args.adds, workspace);
    }
  }

 private:
  static constexpr bool kIsReal = std::is_floating_point_v<T>;
  static constexpr std::int64_t kTiny = 128;
  struct Nothing {};

  ProductShape shape_;
  bool plain_ = false;
  Operand a_;
  Operand b_;
  using Real = std::conditional_t<kIsReal, T, float>;
  [[no_unique_address]] std::conditional_t<kIsReal, MatrixProduct<Real>, Nothing> real_;
  [[no_unique_address]] std::conditional_t<kIsReal, ProductRows<Real>, Nothing> rows_;
};

// A matrix of bytes, or of halves, as one of float32 without gaps, its axes in the order of
// memory.
class Widened {
 public:
  explicit Widened(DType dtype) {
    const bool is_narrow = is_bytes(dtype) || is_half(dtype);
    if (is_narrow) cast_ = find_block_op("cast", {&dtype, 1}, DType::kFloat32)->fn;
  }

  void plan(const Layout& narrow) noexcept {
    narrow_ = narrow;
    inner_ = std::abs(narrow.strides[0]) < std::abs(narrow.strides[1]) ? 0 : 1;
    floats_ = narrow;
    floats_.dtype = DType::kFloat32;
    floats_.strides[inner_] = sizeof(float);
    floats_.strides[1 - inner_] = narrow.shape[inner_] * floats_.strides[inner_];
  }
  const Layout& floats() const { return floats_; }
  std::size_t workspace_bytes() const {
    return align_up(static_cast<std::size_t>(floats_.size()) * sizeof(float));
  }
  void run(const std::byte* data, std::byte* workspace) const noexcept {
    const std::int64_t count = narrow_.shape[inner_];
    const std::size_t outer = 1 - inner_;
    const auto grain = items_per_task(count * static_cast<std::int64_t>(sizeof(float)));
    parallel_ranges(narrow_.shape[outer], grain, [&](std::int64_t line, std::int64_t end) {
      for (; line < end; ++line) {
        widen(data + line * narrow_.strides[outer], workspace + line * floats_.strides[outer],
              count);
      }
    });
  }

 private:
  void widen(const std::byte* from, std::byte* to, std::int64_t count) const noexcept {
    if (narrow_.strides[inner_] == static_cast<std::int64_t>(size_of(narrow_.dtype))) {
      const void* in = from;
      return cast_(&in, to, static_cast<std::size_t>(count));
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const void* in = from + i * narrow_.strides[inner_];
      cast_(&in, to + i * static_cast<std::int64_t>(sizeof(float)), 1);
    }
  }

  Layout narrow_;
  Layout floats_;
  std::size_t inner_ = 1;  // axis
  BlockFn cast_ = nullptr;
};

template <class T, bool kLogical = false>
class Dot final : public Kernel {
 public:
  explicit Dot(const StepSpec& spec)
      : product_(spec.output_dtypes[0]), widened_(spec.input_dtypes[0]) {}

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    DotOperands operands;
    if (const Status status = dot_operands(inputs, outputs[0], operands); !status.ok()) {
      return status;
    }
    auto& [a, b] = operands;
    is_turned_ = false;
    is_widened_ = false;
    if constexpr (std::is_floating_point_v<T>) {
      is_narrow_ = narrow_.plan(a, b);
      if (!is_narrow_ && a.dtype != b.dtype) {
        is_widened_ = true;
        widened_.plan(a);
        a = widened_.floats();
        is_narrow_ = narrow_.plan(a, b);
      }
      is_narrow_ = is_narrow_ || plan_turned(a, b);
    }
    if (!is_narrow_) product_.plan(a, b);
    return {};
  }
  std::size_t workspace_bytes() const override {
    return (is_widened_ ? widened_.workspace_bytes() : 0) +
           (is_narrow_ ? narrow_.workspace_bytes() : product_.workspace_bytes());
  }
  double cost() const override { return is_narrow_ ? narrow_.cost() : product_.cost(); }
  Status run(const RunArgs& args) noexcept override {
    is_widened_ ? run_widened(args) : multiply(args);
    return {};
  }

  std::size_t prepared_bytes(std::size_t input) const override {
    if (!is_narrow_ || (is_widened_ && is_turned_)) return 0;
    return input == (is_turned_ ? 0 : 1) ? narrow_.prepared_bytes() : 0;
  }
  const std::byte* prepare(const std::byte* input, const std::byte* rows,
                           std::byte* memory) noexcept override {
    return narrow_.prepare(input, rows, memory);
  }
  SumForm sum_form() const override {
    if (!is_narrow_) return {};
    return {narrow_.sum_bytes(), std::is_same_v<T, double> ? DType::kFloat64 : DType::kFloat32};
  }
  Status finish(const std::byte* sum, std::byte* output, Session* /*session*/) noexcept override {
    narrow_.finish(sum, output);
    return {};
  }
  bool adds_to_output() const override { return !is_narrow_ && product_.can_add(); }
  const RowSource* row_source(std::size_t) override {
    return is_narrow_ ? nullptr : product_.rows();
  }

 private:
  // One row times a matrix is the transpose of that matrix times one column.
  bool plan_turned(const Layout& a, const Layout& b) {
    is_turned_ = a.shape[0] == 1 && narrow_.plan(transposed(b), transposed(a));
    return is_turned_;
  }
  void run_widened(const RunArgs& args) noexcept {
    widened_.run(args.inputs[0], args.workspace);
    const std::array<std::byte*, 2> inputs = {args.workspace, args.inputs[1]};
    RunArgs widened_args = args;
    widened_args.inputs = inputs;
    widened_args.workspace += widened_.workspace_bytes();
    widened_args.next = nullptr;
    multiply(widened_args);
  }
  void multiply(const RunArgs& args) noexcept {
    is_narrow_ ? run_narrow(args) : product_.run(args);
  }
  void run_narrow(const RunArgs& args) const noexcept {
    if (!is_turned_) return narrow_.run(args);
    const std::array<std::byte*, 2> turned = {args.inputs[1], args.inputs[0]};
    RunArgs turned_args = args;
    turned_args.inputs = turned;
    turned_args.next = nullptr;
    narrow_.run(turned_args);
  }

  Product<T, kLogical> product_;
  NarrowDot narrow_;
  Widened widened_;
  bool is_widened_ = false;
  bool is_narrow_ = false;
  bool is_turned_ = false;
};

// Where halves come as float32, and go back.
StepSpec widened(StepSpec spec) {
  spec.input_dtypes.assign(2, DType::kFloat32);
  spec.output_dtypes.assign(1, DType::kFloat32);
  return spec;
}

class DotOfHalves final : public Kernel {
 public:
  explicit DotOfHalves(const StepSpec& spec)
      : a_(spec.input_dtypes[0]), b_(spec.input_dtypes[1]), product_(widened(spec)) {
    const std::array terms = {DType::kFloat32, DType::kFloat32};
    narrow_ = find_block_op("cast", std::span(terms).first(1), spec.output_dtypes[0])->fn;
    add_ = find_block_op("add", terms, DType::kFloat32)->fn;
  }

  Status bind(std::span<const Layout> inputs, std::span<const Layout> outputs) override {
    DotOperands operands;
    if (const Status status = dot_operands(inputs, outputs[0], operands); !status.ok()) {
      return status;
    }
    a_.plan(operands.a);
    b_.plan(operands.b);
    Layout out = outputs[0];
    out.ndim = 2;
    out.shape[0] = operands.a.shape[0];
    out.shape[1] = operands.b.shape[1];
    out.dtype = DType::kFloat32;
    out = packed(out);
    results_ = out.size();
    return product_.bind(std::array{a_.floats(), b_.floats()}, {&out, 1});
  }
  std::size_t workspace_bytes() const override {
    return a_.workspace_bytes() + b_.workspace_bytes() + sums_bytes() + product_.workspace_bytes();
  }
  double cost() const override { return product_.cost(); }
  Status run(const RunArgs& args) noexcept override {
    std::byte* const a = args.workspace;
    std::byte* const b = a + a_.workspace_bytes();
    std::byte* const sums = b + b_.workspace_bytes();
    a_.run(args.inputs[0], a);
    b_.run(args.inputs[1], b);
    const std::array<std::byte*, 2> inputs = {a, b};
    const bool is_in_place = args.sum != nullptr && (!args.adds || product_.adds_to_output());
    const std::array<std::byte*, 1> outputs = {is_in_place ? args.sum : sums};
    const Status status = product_.run({.inputs = inputs,
                                        .outputs = outputs,
                                        .dims = {},
                                        .workspace = sums + sums_bytes(),
                                        .adds = is_in_place && args.adds});
    if (!status.ok() || is_in_place) return status;
    args.sum != nullptr ? add(sums, args.sum) : round(sums, args.outputs[0]);
    return {};
  }
  SumForm sum_form() const override { return {sums_bytes(), DType::kFloat32}; }
  Status finish(const std::byte* sum, std::byte* output, Session* /*session*/) noexcept override {
    round(sum, output);
    return {};
  }

 private:
  void round(const std::byte* sums, std::byte* out) const noexcept {
    constexpr std::int64_t kItem = sizeof(float);
    parallel_ranges(results_, items_per_task(kItem), [&](std::int64_t i, std::int64_t end) {
      const void* in = sums + i * kItem;
      narrow_(&in, out + i * kItem / 2, static_cast<std::size_t>(end - i));
    });
  }
  void add(const std::byte* from, std::byte* to) const noexcept {
    constexpr std::int64_t kItem = sizeof(float);
    parallel_ranges(results_, items_per_task(kItem), [&](std::int64_t i, std::int64_t end) {
      const std::array<const void*, 2> terms = {to + i * kItem, from + i * kItem};
      add_(terms.data(), to + i * kItem, static_cast<std::size_t>(end - i));
    });
  }
  // Before they are rounded.
  std::size_t sums_bytes() const {
    return align_up(static_cast<std::size_t>(results_) * sizeof(float));
  }

  Widened a_;
  Widened b_;
  Dot<float> product_;
  BlockFn narrow_ = nullptr;
  BlockFn add_ = nullptr;
  std::int64_t results_ = 0;
};

std::unique_ptr<Kernel> make_dot(const StepSpec& spec, Status& status) {
  std::unique_ptr<Kernel> made;
  const auto make = [&]<class T>(std::type_identity<T>) {
    if constexpr (std::is_same_v<T, bool>) {
      made = std::make_unique<Dot<std::uint8_t, true>>(spec);
    } else if constexpr (std::is_integral_v<T>) {
      made = std::make_unique<Dot<std::make_unsigned_t<T>>>(spec);
    } else {
      made = std::make_unique<Dot<T>>(spec);
    }
  };
  if (!is_dot(spec)) {
    status = Status::bad_plan("[dot] a, b of rank 1 or 2, and out, all of one number dtype");
  } else if (is_half(spec.input_dtypes[0])) {
    made = std::make_unique<DotOfHalves>(spec);
  } else {
    visit_num(spec.output_dtypes[0], make);
  }
  return made;
}

constexpr KernelEntry kEntries[] = {{"dot", &make_dot}};

}  // namespace

std::span<const KernelEntry> linalg_kernels() { return kEntries; }

}  // namespace arignote
