#include "backend/session.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "backend/api.hpp"
#include "backend/copy.hpp"
#include "backend/device.hpp"
#include "runtime/device_visit.hpp"

namespace arignote::device {
namespace {

constexpr std::size_t kMostLastItems = 4 * std::size_t{kBlockThreads};

class Graph final : public Recording {
 public:
  Graph(Device& device, void* graph, bool may_fail)
      : device_(device), graph_(graph), may_fail_(may_fail) {}
  ~Graph() override {
    const DeviceVisit visit(&device_);
    static_cast<void>(api().release_graph(graph_));
  }
  void* graph() const { return graph_; }
  bool may_fail() const { return may_fail_; }

 private:
  Device& device_;
  void* graph_;
  bool may_fail_;
};

// CUDA's own switch, which has each launch wait for the kernel, but for those of a graph.
bool is_launch_blocking() {
  const char* const value = std::getenv("CUDA_LAUNCH_BLOCKING");
  return value != nullptr && !std::string_view(value).empty() && std::string_view(value) != "0";
}

Status status_of(const Fault& found) {
  if (found.kind == FaultKind::kNonzeroCount) {
    return Status::bad_plan("[nonzero] outputs must have the number of nonzero elements");
  }
  Status fault =
      Status::index_out_of_range(found.before + found.position, found.value, found.length);
  fault.step = found.part;
  if (found.kind == FaultKind::kUnsignedIndex) fault.what = "unsigned";
  return fault;
}

}  // namespace

// A status has a text that lasts for ever. What fails on the device is told of by whichever call
// the host makes then.
Status status_of(int error) {
  if (error == kNoError) return {};
  if (error == kErrorMemory) return Status::out_of_memory(-1);
  try {
    static std::mutex mutex;
    static auto& texts = *new std::map<std::pair<int, bool>, std::string>;
    const std::scoped_lock lock(mutex);
    const bool may_be_late = !is_launch_blocking();
    std::string& text = texts[{error, may_be_late}];
    if (text.empty()) {
      text = std::string("CUDA says ") + api().error_name(error) + ": " + api().error_text(error);
      if (may_be_late) {
        text += "; an earlier step may have failed, and with CUDA_LAUNCH_BLOCKING=1 in the "
                "environment the error names the step";
      }
    }
    return Status::device_error(text.c_str());
  } catch (...) {
    return Status::device_error("a call of CUDA has failed");  // no memory for its words
  }
}

DeviceSession::DeviceSession(Device& device)
    : device_(device), waits_for_steps_(is_launch_blocking()) {}

Status DeviceSession::open(Device& device, std::unique_ptr<Session>& session) noexcept {
  device.enter();
  std::unique_ptr<DeviceSession> made(new (std::nothrow) DeviceSession(device));
  if (!made) return Status::out_of_memory(-1);
  if (const int error = api().create_stream(&made->stream_); error != kNoError) {
    return status_of(error);
  }
  made->fault_ = reinterpret_cast<Fault*>(device.allocate(sizeof(Fault)));
  if (made->fault_ == nullptr) {
    // A driver that has failed for good has no memory to give either.
    const Status lost = status_of(made->wait());
    return lost.ok() ? Status::out_of_memory(-1) : lost;
  }
  const Fault none;
  const Status status = made->upload(reinterpret_cast<const std::byte*>(&none),
                                     reinterpret_cast<std::byte*>(made->fault_), sizeof(Fault));
  if (status.ok()) session = std::move(made);
  return status;
}

DeviceSession::~DeviceSession() {
  const DeviceVisit visit(&device_);
  if (stream_ != nullptr) {
    static_cast<void>(api().synchronise(stream_));
    static_cast<void>(api().destroy_stream(stream_));
  }
  if (fault_ != nullptr) device_.release(reinterpret_cast<std::byte*>(fault_));
}

// Kernels belong to steps; whatever else is queued says so by itself.
void DeviceSession::at(int step) noexcept {
  device_.enter();
  record_.reset();
  origin_ = {.step = step};
}

void DeviceSession::within(int part, std::int64_t row) noexcept {
  device_.enter();
  record_.reset();
  origin_.part = part;
  origin_.before = row;
}

Status DeviceSession::finish_step() noexcept {
  return waits_for_steps_ ? status_of(wait()) : Status{};
}

Status DeviceSession::upload(const std::byte* from, std::byte* to, std::size_t bytes) noexcept {
  if (bytes == 0) return {};
  device_.enter();
  record_.reset();
  if (std::byte* const staged = staging_.take(bytes); staged != nullptr) {
    std::memcpy(staged, from, bytes);
    from = staged;
  }
  return status_of(api().copy(to, from, bytes, CopyKind::kToDevice, stream_));
}

Status DeviceSession::add(const std::byte* from, std::byte* to, DType dtype,
                          std::int64_t count) noexcept {
  CopyArgs args{};
  args.to = to;
  args.from = from;
  args.fault = fault_;
  args.count = args.shape[0] = count;
  args.ndim = 1;
  args.to_strides[0] = args.from_strides[0] = static_cast<std::int64_t>(size_of(dtype));
  device_.enter();
  record_.reset();
  return status_of(launch_add(args, dtype, stream()));
}

Status DeviceSession::copy(const std::byte* from, std::byte* to, std::size_t bytes) noexcept {
  if (bytes == 0) return {};
  device_.enter();
  record_.reset();
  return status_of(api().copy(to, from, bytes, CopyKind::kOnDevice, stream_));
}

Status DeviceSession::copy_array(const Layout& from_layout, const std::byte* from,
                                 const Layout& to_layout, std::byte* to) noexcept {
  Copy copy;
  if (!copy.plan(to_layout, from_layout)) return Status::bad_plan("a copy must keep its shape");
  device_.enter();
  record_.reset();
  return copy.run(to, from, *this);
}

// The record of faults comes along, so that who asks for it next need not wait again. Behind one
// there is nothing to bring: the host is not to go on with what a step has not written.
Status DeviceSession::download(const std::byte* from, std::byte* to, std::size_t bytes) noexcept {
  device_.enter();
  if (bytes == 0) return status_of(wait());
  Fault found;
  std::byte* const staged = staging_.take(bytes);
  std::byte* const record = may_fail_ ? staging_.take(sizeof(Fault)) : nullptr;
  int error = api().copy(staged != nullptr ? staged : to, from, bytes, CopyKind::kToHost, stream_);
  if (error == kNoError && may_fail_) {
    void* const place = record != nullptr ? static_cast<void*>(record) : &found;
    error = api().copy(place, fault_, sizeof(Fault), CopyKind::kToHost, stream_);
  }
  if (error == kNoError) error = wait();
  if (error != kNoError) return status_of(error);
  if (may_fail_) {
    if (record != nullptr) std::memcpy(&found, record, sizeof(Fault));
    record_ = found;
    if (found.step >= 0) return status_of(found);
  }
  if (staged != nullptr) std::memcpy(to, staged, bytes);
  return {};
}

// Where this fails, the device may still be at work on what is staged.
int DeviceSession::wait() noexcept {
  const int error = api().synchronise(stream_);
  if (error != kNoError) return error;
  staging_.clear();
  record_.reset();
  return kNoError;
}

Status DeviceSession::synchronise(int& step) noexcept {
  auto* const record = reinterpret_cast<std::byte*>(fault_);
  Fault found = record_.value_or(Fault{});
  const bool may_fail = may_fail_;
  const bool is_known = record_.has_value() && may_fail;
  may_fail_ = false;
  Status status;
  if (!is_known) {
    const std::size_t bytes = may_fail ? sizeof(Fault) : 0;
    status = download(record, reinterpret_cast<std::byte*>(&found), bytes);
  }
  if (!status.ok() || !may_fail || found.step < 0) return status;
  step = found.step;
  const Fault none;
  if (const Status reset = upload(reinterpret_cast<const std::byte*>(&none), record, sizeof(Fault));
      !reset.ok()) {
    return reset;
  }
  return status_of(found);
}

// The turns before have launched what this one does, but for what belongs to recorded ones alone,
// and for copies, whose pieces hang on where they begin. Within a graph no step can be waited for.
Status DeviceSession::begin_recording() noexcept {
  if (waits_for_steps_) return Status::device_error("steps that are waited for cannot be kept");
  device_.enter();
  int error = load_turns();
  if (error == kNoError) error = load_copies();
  return status_of(error != kNoError ? error : api().begin_capture(stream_));
}

Status DeviceSession::end_recording(std::unique_ptr<Recording>& recording) noexcept {
  device_.enter();
  void* graph = nullptr;
  if (const int error = api().end_capture(stream_, &graph); error != kNoError) {
    return status_of(error);
  }
  recording.reset(new (std::nothrow) Graph(device_, graph, may_fail_));
  if (recording) return {};
  static_cast<void>(api().release_graph(graph));
  return Status::out_of_memory(-1);
}

Status DeviceSession::replay(Recording& recording) noexcept {
  device_.enter();
  record_.reset();
  const auto& graph = static_cast<const Graph&>(recording);
  may_fail_ |= graph.may_fail();
  return status_of(api().launch_graph(graph.graph(), stream_));
}

TurnArgs DeviceSession::turn_args(std::span<const TurnCopy> copies,
                                  const std::int64_t* turn) const {
  TurnArgs args{.copies = {}, .count = 0, .turn = turn, .fault = fault_};
  for (const TurnCopy& copy : copies) {
    args.copies[args.count++] = {.to = copy.to,
                                 .from = copy.from,
                                 .bytes = static_cast<std::int64_t>(copy.bytes),
                                 .to_step = copy.to_step,
                                 .from_step = copy.from_step,
                                 .from_offsets = copy.from_offsets,
                                 .item = static_cast<std::int64_t>(copy.item)};
  }
  return args;
}

Status DeviceSession::copies_of_turn(std::span<const TurnCopy> copies,
                                     const std::int64_t* turn) noexcept {
  while (!copies.empty()) {
    const auto some = copies.first(std::min(copies.size(), std::size_t{kMostTurnCopies}));
    const int error = launch_copies_of_turn(turn_args(some, turn), stream());
    if (error != kNoError) return status_of(error);
    copies = copies.subspan(some.size());
  }
  return {};
}

// A single block copies what takes no longer than a launch.
Status DeviceSession::end_turn(std::span<const TurnCopy> copies, std::int64_t* turn) noexcept {
  std::size_t items = 0;
  for (const TurnCopy& copy : copies) items += copy.bytes / copy.item;
  if (items > kMostLastItems || copies.size() > std::size_t{kMostTurnCopies}) {
    if (const Status status = copies_of_turn(copies, turn); !status.ok()) return status;
    copies = {};
  }
  return status_of(launch_end_turn(turn_args(copies, turn), turn, stream()));
}

}  // namespace arignote::device
