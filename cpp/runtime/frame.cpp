#include "runtime/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/buffer.hpp"
#include "runtime/binding.hpp"

namespace arignote {
namespace {

// Half of what a pointer difference holds, so that sums of two sizes cannot overflow either.
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 62;

// Refuses negative lengths and sizes beyond any memory. Empty axes count as one, so that no stride
// overflows.
Status check_lengths(int id, const Layout& layout) {
  auto bytes = static_cast<std::int64_t>(size_of(layout.dtype));
  for (int axis = 0; axis < layout.ndim; ++axis) {
    const std::int64_t length = layout.shape[axis];
    if (length < 0) return Status::bad_plan("a buffer must have a possible shape");
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(length, 1), &bytes) ||
        bytes >= kMaxBytes) {
      return Status::out_of_memory(id);
    }
  }
  return {};
}

bool same_lengths(const Layout& a, const Layout& b) {
  return a.ndim == b.ndim && std::equal(a.shape.begin(), a.shape.begin() + a.ndim, b.shape.begin());
}

template <class T>
std::int64_t load_as(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof(T));
  return static_cast<std::int64_t>(value);
}

std::int64_t load_integer(DType dtype, const std::byte* data) {
  switch (dtype) {
    case DType::kInt8: return load_as<std::int8_t>(data);
    case DType::kInt16: return load_as<std::int16_t>(data);
    case DType::kInt32: return load_as<std::int32_t>(data);
    case DType::kUInt8: return load_as<std::uint8_t>(data);
    case DType::kUInt16: return load_as<std::uint16_t>(data);
    case DType::kUInt32: return load_as<std::uint32_t>(data);
    case DType::kBool: return load_as<std::uint8_t>(data) != 0;
    default: return load_as<std::int64_t>(data);
  }
}

}  // namespace

Frame::Frame(const Program& program) : program_(program) {
  const Plan& plan = program.plan;
  registers_.resize(plan.dims.size());
  layouts_.resize(plan.buffers.size());
  extents_.resize(plan.buffers.size());
  offsets_.resize(plan.buffers.size());
  scalars_.resize(plan.buffers.size() + 1);  // one to point at, whatever the plan
  for (int id = 0; id < plan.n_buffers(); ++id) {
    layouts_[id].dtype = plan.buffer(id).dtype;
    layouts_[id].ndim = plan.buffer(id).ndim();
  }
  for (std::size_t i = 0; i < plan.constants.size(); ++i) {
    Layout& layout = layouts_[plan.constant_buffers[i]];
    std::ranges::copy(plan.constants[i].shape, layout.shape.begin());
    std::ranges::copy(plan.constants[i].strides, layout.strides.begin());
  }
  sources_ = plan.input_buffers;
  sources_.insert(sources_.end(), plan.state_buffers.begin(), plan.state_buffers.end());
}

bool Frame::take(std::span<const Source> sources) {
  bool changed = false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    Layout& layout = layouts_[sources_[i]];
    for (int axis = 0; axis < layout.ndim; ++axis) {
      changed |= layout.shape[axis] != sources[i].shape[axis];
      changed |= layout.strides[axis] != sources[i].strides[axis];
      layout.shape[axis] = sources[i].shape[axis];
      layout.strides[axis] = sources[i].strides[axis];
    }
  }
  return changed;
}

bool Frame::take_value(int reg, const std::byte* data) {
  const int buffer = static_cast<int>(program_.plan.dims[reg].a);
  const std::int64_t value = load_integer(program_.plan.buffer(buffer).dtype, data);
  const bool changed = registers_[reg] != value;
  registers_[reg] = value;
  return changed;
}

Status Frame::settle(const Segment& segment) {
  for (const int reg : segment.dims) {
    const Dim& dim = program_.plan.dims[reg];
    switch (dim.op) {
      case DimOp::kConst: registers_[reg] = dim.a; break;
      case DimOp::kShape: registers_[reg] = layouts_[dim.a].shape[dim.b]; break;
      case DimOp::kStride: registers_[reg] = layouts_[dim.a].strides[dim.b]; break;
      default: registers_[reg] = evaluate(dim, registers_);
    }
  }
  for (const int number : segment.checks) {
    if (const Status status = check(number); !status.ok()) return status;
  }
  for (const int id : segment.buffers) {
    if (const Status status = settle_buffer(id); !status.ok()) return status;
  }
  return {};
}

Status Frame::check(int number) const {
  const Check& check = program_.plan.checks[number];
  const std::int64_t a = registers_[check.a];
  const std::int64_t b = registers_[check.b];
  bool holds = false;
  switch (check.kind) {
    case CheckKind::kEqual: holds = a == b; break;
    case CheckKind::kIndex: holds = a >= 0 && a < b; break;
    case CheckKind::kTrue: holds = a != 0; break;
  }
  if (holds) return {};
  return {.code = Code::kCheckFailed, .position = number, .value = a, .other = b};
}

Status Frame::settle_buffer(int id) {
  const BufferSpec& spec = program_.plan.buffer(id);
  if (spec.is_source()) return settle_source(id);
  Layout& layout = layouts_[id];
  for (int axis = 0; axis < layout.ndim; ++axis) layout.shape[axis] = registers_[spec.shape[axis]];
  if (const Status status = check_lengths(id, layout); !status.ok()) return status;
  switch (spec.kind) {
    case BufferKind::kScalar: settle_scalar(id); return {};
    case BufferKind::kView: return settle_view(id);
    case BufferKind::kReshape: return settle_reshape(id);
    default: return settle_temp(id);
  }
}

Status Frame::settle_source(int id) {
  const BufferSpec& spec = program_.plan.buffer(id);
  const Layout& layout = layouts_[id];
  for (int axis = 0; axis < layout.ndim; ++axis) {
    if (layout.shape[axis] != registers_[spec.shape[axis]]) {
      return Status::bad_plan("an array must have the shape that its buffer states");
    }
  }
  if (!hull(layout, extents_[id])) return Status::bad_plan("an array must have possible strides");
  return {};
}

void Frame::settle_scalar(int id) {
  const BufferSpec& spec = program_.plan.buffer(id);
  const std::int64_t value = registers_[spec.value];
  std::byte* data = scalars_[id].data();
  if (spec.dtype == DType::kBool) {
    data[0] = std::byte{value != 0};
  } else if (spec.dtype == DType::kFloat32) {
    const auto real = static_cast<float>(value);
    std::memcpy(data, &real, sizeof(real));
  } else if (spec.dtype == DType::kFloat64) {
    const auto real = static_cast<double>(value);
    std::memcpy(data, &real, sizeof(real));
  } else {
    // The low bytes of a two's complement number are the number wrapped to fewer bits.
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(data, &value, size_of(spec.dtype));
  }
  extents_[id] = {0, static_cast<std::int64_t>(size_of(spec.dtype))};
}

Status Frame::settle_temp(int id) {
  const BufferSpec& spec = program_.plan.buffer(id);
  Layout& layout = layouts_[id];
  make_contiguous(layout);
  if (spec.storage == kNone) {
    hull(layout, extents_[id]);
    return {};
  }
  const Layout& storage = layouts_[spec.storage];
  const Step& writer = program_.plan.step(program_.schedule.writer[id]);
  const bool in_place = program_.plan.buffer(spec.storage).kind == BufferKind::kState ||
                        std::ranges::find(writer.inputs, spec.storage) != writer.inputs.end();
  if (same_lengths(layout, storage) && size_of(layout.dtype) == size_of(storage.dtype)) {
    layout.strides = storage.strides;
  } else if (in_place || !storage.contiguous() ||
             static_cast<std::size_t>(layout.size()) * size_of(layout.dtype) !=
                 static_cast<std::size_t>(storage.size()) * size_of(storage.dtype)) {
    return Status::bad_plan("a temp must be as large as its storage");
  }
  extents_[id] = extents_[spec.storage];
  return {};
}

Status Frame::settle_view(int id) {
  const BufferSpec& spec = program_.plan.buffer(id);
  Layout& layout = layouts_[id];
  const auto alignment =
      static_cast<std::int64_t>(std::min(size_of(layout.dtype), sizeof(std::int64_t)));
  offsets_[id] = registers_[spec.offset];
  bool aligned = offsets_[id] % alignment == 0;
  for (int axis = 0; axis < layout.ndim; ++axis) {
    layout.strides[axis] = registers_[spec.strides[axis]];
    // Where there is nothing to step to, any number is allowed: kernels shall not compute with it.
    if (layout.shape[axis] < 2) layout.strides[axis] = 0;
    aligned &= layout.strides[axis] % alignment == 0;
  }
  if (layout.size() == 0) {
    make_contiguous(layout);
    offsets_[id] = 0;
    extents_[id] = {0, 0};
    return {};
  }
  Extent own;
  const Extent& base = extents_[spec.base];
  if (!aligned || !hull(layout, own) || offsets_[id] < base.low - own.low ||
      offsets_[id] > base.high - own.high) {
    return Status::bad_plan("a view must lie inside its base");
  }
  extents_[id] = {base.low - offsets_[id], base.high - offsets_[id]};
  return {};
}

Status Frame::settle_reshape(int id) {
  const int base = program_.plan.buffer(id).base;
  Layout& layout = layouts_[id];
  make_contiguous(layout);
  if (layout.size() != layouts_[base].size()) {
    return Status::bad_plan("a reshape must have as many elements as its base");
  }
  if (layouts_[base].contiguous()) {
    extents_[id] = extents_[base];
  } else {
    hull(layout, extents_[id]);
  }
  return {};
}

// False if the bytes that the layout reaches cannot be counted.
bool Frame::hull(const Layout& layout, Extent& extent) {
  extent = {0, 0};
  if (layout.size() == 0) return true;
  for (int axis = 0; axis < layout.ndim; ++axis) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(layout.shape[axis] - 1, layout.strides[axis], &reach)) return false;
    std::int64_t& side = reach < 0 ? extent.low : extent.high;
    if (__builtin_add_overflow(side, reach, &side)) return false;
  }
  extent.high += static_cast<std::int64_t>(size_of(layout.dtype));
  return extent.low > -kMaxBytes && extent.high < kMaxBytes;
}

void Frame::append_key(const Segment& segment, std::vector<std::int64_t>& key) const {
  for (const int id : segment.buffers) {
    const Layout& layout = layouts_[id];
    key.insert(key.end(), layout.shape.begin(), layout.shape.begin() + layout.ndim);
    key.insert(key.end(), layout.strides.begin(), layout.strides.begin() + layout.ndim);
  }
}

}  // namespace arignote
