#include "backend/blas_product.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "backend/device.hpp"

namespace arignote::device {
namespace {

// A device that does ten trillion of them in a second is at work on so many multiplications for
// about as long as a launch takes: with less, nothing is to be gained.
constexpr std::int64_t kLeastMultiplications = std::int64_t{1} << 24;
// With fewer rows or columns it is reading that takes the time, and dot.cu has forms for that.
constexpr std::int64_t kLeastLines = 17;

// What cuBLASLt may use beside the operands: room for so many partial results, and not more than
// NVIDIA recommends for its largest devices.
constexpr std::size_t kPartialResults = 16;
constexpr std::size_t kMostWorkspace = 32 << 20;

// In bytes. No algorithm gains from more.
constexpr std::size_t kAlignment = 16;

// What cuBLASLt calls a dtype, and how products of it are computed. They are added up, and the
// factors given, in the type of the sums.
struct Kind {
  DType dtype;
  int type;
  int compute_type;
  DType sums;
};
constexpr std::array kKinds = {
    Kind{DType::kFloat16, blas_lt::kFloat16, blas_lt::kComputeFloat32, DType::kFloat32},
    Kind{DType::kBFloat16, blas_lt::kBFloat16, blas_lt::kComputeFloat32, DType::kFloat32},
    Kind{DType::kFloat32, blas_lt::kFloat32, blas_lt::kComputeFloat32, DType::kFloat32},
    Kind{DType::kFloat64, blas_lt::kFloat64, blas_lt::kComputeFloat64, DType::kFloat64},
};

// Null for a dtype of which there are no products.
const Kind* find_kind(DType dtype) {
  const auto* const found = std::ranges::find(kKinds, dtype, &Kind::dtype);
  return found == kKinds.end() ? nullptr : found;
}

int type_of(DType dtype) { return find_kind(dtype)->type; }

struct Factors {
  const void* one;
  const void* zero;
};
constexpr float kFloats[] = {1, 0};
constexpr double kDoubles[] = {1, 0};

Factors factors_of(DType dtype) {
  if (find_kind(dtype)->sums == DType::kFloat32) return {&kFloats[0], &kFloats[1]};
  return {&kDoubles[0], &kDoubles[1]};
}

bool is_aligned(const std::byte* data) {
  return reinterpret_cast<std::uintptr_t>(data) % kAlignment == 0;
}

}  // namespace

// --- whether

bool BlasProduct::plan(const Layout& a, const Layout& b, DType out, bool may_use_tf32) {
  const std::int64_t m = a.shape[0];
  const std::int64_t n = b.shape[1];
  const std::int64_t k = a.shape[1];
  dtype_ = a.dtype;
  out_ = out;
  may_use_tf32_ = may_use_tf32;
  if (a.dtype != b.dtype || find_kind(dtype_) == nullptr) return false;
  if (std::min(m, n) < kLeastLines || k <= (kLeastMultiplications - 1) / m / n) return false;
  const auto left = factor_of(b);
  const auto right = factor_of(a);
  if (!left || !right) return false;
  left_ = *left;
  right_ = *right;
  result_ = {.rows = n, .columns = m, .step = n, .is_transposed = false};
  return true;
}

// Nothing if elements lie apart both ways, or more than one in a place.
std::optional<BlasProduct::Matrix> BlasProduct::factor_of(const Layout& matrix) {
  const auto item = static_cast<std::int64_t>(size_of(matrix.dtype));
  const std::int64_t rows = matrix.shape[0];
  const std::int64_t columns = matrix.shape[1];
  // cuBLASLt counts rows and columns with 32 bits.
  if (std::max(rows, columns) > std::numeric_limits<std::int32_t>::max()) return {};
  if (matrix.strides[0] % item != 0 || matrix.strides[1] % item != 0) return {};
  // An axis of length one may have any stride.
  const std::int64_t down = rows == 1 ? columns : matrix.strides[0] / item;
  const std::int64_t across = columns == 1 ? rows : matrix.strides[1] / item;
  if ((across == 1 || columns == 1) && down >= columns) return Matrix{columns, rows, down, false};
  if ((down == 1 || rows == 1) && across >= rows) return Matrix{rows, columns, across, true};
  return {};
}

std::size_t BlasProduct::most_workspace() const {
  const auto results = static_cast<std::size_t>(result_.rows * result_.columns);
  return std::min(kMostWorkspace, kPartialResults * results * size_of(find_kind(dtype_)->sums));
}

// Its place is a multiple of 64.
std::size_t BlasProduct::workspace_bytes() const {
  return most_workspace() + blas_lt::kWorkspaceAlignment;
}

// --- how

Status BlasProduct::choose(const Device& device) {
  Status status;
  blas_ = BlasLt::of(device, status);
  if (blas_ == nullptr) return status;
  device.enter();
  if (status = describe_product(); !status.ok()) return status;
  if (status = describe(left_, dtype_, left_matrix_); !status.ok()) return status;
  if (status = describe(right_, dtype_, right_matrix_); !status.ok()) return status;
  if (status = describe(result_, out_, result_matrix_); !status.ok()) return status;
  if (status = choose(size_of(dtype_), unaligned_); !status.ok()) return status;
  // Where rows begin anywhere, so do windows on them. A loop that the device runs by itself has
  // them copied to other places, and is to come to the bits of calls.
  if (has_aligned_steps()) return choose(kAlignment, aligned_);
  aligned_ = unaligned_;
  return {};
}

bool BlasProduct::has_aligned_steps() const {
  const auto item = static_cast<std::int64_t>(size_of(dtype_));
  const auto out_item = static_cast<std::int64_t>(size_of(out_));
  const std::int64_t bytes = (left_.step | right_.step) * item | result_.step * out_item;
  return bytes % static_cast<std::int64_t>(kAlignment) == 0;
}

Status BlasProduct::describe_product() {
  const blas_lt::Api& api = blas_->api();
  const Kind& kind = *find_kind(dtype_);
  void* made = nullptr;
  const Status status = blas_->status_of(api.create_product(
      &made, may_use_tf32_ ? blas_lt::kComputeTf32 : kind.compute_type, type_of(kind.sums)));
  if (!status.ok()) return status;
  product_ = Descriptor(made, {api.destroy_product});
  for (const auto& [attribute, matrix] :
       {std::pair(blas_lt::kTransposeA, &left_), std::pair(blas_lt::kTransposeB, &right_)}) {
    if (!matrix->is_transposed) continue;
    const Status set = blas_->status_of(
        api.set_product(made, attribute, &blas_lt::kTransposed, sizeof(blas_lt::kTransposed)));
    if (!set.ok()) return set;
  }
  return {};
}

Status BlasProduct::describe(const Matrix& matrix, DType dtype, Descriptor& descriptor) const {
  void* made = nullptr;
  const Status status = blas_->status_of(
      blas_->api().create_matrix(&made, type_of(dtype), static_cast<std::uint64_t>(matrix.rows),
                                 static_cast<std::uint64_t>(matrix.columns), matrix.step));
  if (status.ok()) descriptor = Descriptor(made, {blas_->api().destroy_matrix});
  return status;
}

// The best algorithm by cuBLASLt's estimate, which follows from the shape and the device. There may
// be none.
Status BlasProduct::choose(std::size_t alignment, Choice& choice) const {
  const blas_lt::Api& api = blas_->api();
  void* made = nullptr;
  Status status = blas_->status_of(api.create_preference(&made));
  if (!status.ok()) return status;
  const Descriptor preference(made, {api.destroy_preference});
  if (status = prefer(alignment, made); !status.ok()) return status;
  blas_lt::Choice found{};
  int count = 0;
  const int result =
      api.choose(blas_->handle(), product_.get(), left_matrix_.get(), right_matrix_.get(),
                 result_matrix_.get(), result_matrix_.get(), made, 1, &found, &count);
  const bool has_none =
      result == blas_lt::kNotSupported || result == blas_lt::kArchitectureMismatch;
  if (has_none) return {};
  if (count > 0 && found.status == blas_lt::kSuccess) choice = found;
  return blas_->status_of(result);
}

// Bits must not depend on which block is done first. So the depth may be cut only if partial
// results go to the workspace, unrounded, and a step of its own adds them up; not if blocks add to
// the result itself as they come. And the workspace is this product's alone.
Status BlasProduct::prefer(std::size_t alignment, void* preference) const {
  const auto set = [&](int attribute, auto value) {
    return blas_->status_of(
        blas_->api().set_preference(preference, attribute, &value, sizeof(value)));
  };
  Status status = set(blas_lt::kMostWorkspace, static_cast<std::uint64_t>(most_workspace()));
  if (status.ok()) status = set(blas_lt::kReductionSchemes, blas_lt::kReductionInComputeType);
  for (const int operand :
       {blas_lt::kAlignmentA, blas_lt::kAlignmentB, blas_lt::kAlignmentC, blas_lt::kAlignmentD}) {
    if (status.ok()) status = set(operand, static_cast<std::uint32_t>(alignment));
  }
  return status;
}

const BlasProduct::Choice& BlasProduct::choice_for(const RunArgs& args,
                                                   const std::byte* out) const {
  const bool all_are_aligned =
      is_aligned(args.inputs[0]) && is_aligned(args.inputs[1]) && is_aligned(out);
  return all_are_aligned ? aligned_ : unaligned_;
}

Status BlasProduct::run(const RunArgs& args, std::byte* out, void* stream) const {
  const blas_lt::Choice& choice = *choice_for(args, out);
  const Factors factors = factors_of(dtype_);
  void* workspace = args.workspace;
  std::size_t room = workspace_bytes();
  std::align(blas_lt::kWorkspaceAlignment, most_workspace(), workspace, room);
  return blas_->status_of(blas_->api().multiply(
      blas_->handle(), product_.get(), factors.one, args.inputs[1], left_matrix_.get(),
      args.inputs[0], right_matrix_.get(), args.adds ? factors.one : factors.zero, out,
      result_matrix_.get(), out, result_matrix_.get(), &choice.algorithm, workspace,
      choice.workspace, stream));
}

}  // namespace arignote::device
