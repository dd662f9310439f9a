// From a plan to a program: verified, its kernels found, its constants where they are read.
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "runtime/by_rows.hpp"
#include "runtime/verify.hpp"

namespace arignote {
namespace {

void require(bool holds, const std::string& text) {
  if (!holds) throw PlanError(text);
}

// --- kernels

// What the factories get to know beyond the attributes: dtypes, ranks, shared memory.
void complete(const Plan& plan, Step& step) {
  for (const int id : step.inputs) {
    step.spec.input_dtypes.push_back(plan.buffer(id).dtype);
    step.spec.input_ndims.push_back(plan.buffer(id).ndim());
    step.spec.constant_inputs.push_back(plan.buffer(id).kind == BufferKind::kConst);
  }
  for (const int id : step.outputs) {
    const BufferSpec& spec = plan.buffer(id);
    step.spec.output_dtypes.push_back(spec.dtype);
    step.spec.output_ndims.push_back(spec.ndim());
    std::vector<int> shared;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      if (spec.storage != kNone && step.inputs[i] == spec.storage) {
        shared.push_back(static_cast<int>(i));
      }
    }
    step.spec.shared_storage.push_back(std::move(shared));
  }
}

void find_kernel_of(const Plan& plan, const Backend* backend, int id, Step& step) {
  complete(plan, step);
  if (step.kind == StepKind::kHost) return;
  const std::string where = "step " + std::to_string(id) + " (" + step.spec.kernel + ")";
  if (step.kind == StepKind::kByRows) return verify_by_rows(where, step.spec, *step.body);
  if (step.kind == StepKind::kReshape) {
    // The copy goes into the base's own shape: reading that in C order is the reshape.
    step.spec.kernel = "copy";
    step.spec.output_ndims = step.spec.input_ndims;
  }
  step.kernel = step.on_device ? backend->find(step.spec.kernel) : find_kernel(step.spec.kernel);
  require(step.kernel != nullptr, where + " must name a kernel that exists");
  Status status;
  const bool made = step.kernel->make(step.spec, status) != nullptr;
  require(made, where + " must suit its kernel: " + status.what);
}

// --- constants

// C-contiguous, so their bytes are all there is to bring over.
std::vector<DeviceMemory> upload_constants(const Plan& plan, Backend* backend) {
  std::vector<DeviceMemory> constants(plan.constants.size());
  std::unique_ptr<Session> session;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const BufferSpec& spec = plan.buffer(plan.constant_buffers[i]);
    if (!spec.on_device) continue;
    if (!session) demand(backend->open(session));
    const Constant& constant = plan.constants[i];
    std::size_t bytes = size_of(spec.dtype);
    for (const std::int64_t length : constant.shape) bytes *= static_cast<std::size_t>(length);
    constants[i] = DeviceMemory(backend);
    if (!constants[i].reserve(bytes)) throw std::bad_alloc();
    demand(session->upload(constant.data, constants[i].data(), bytes));
  }
  int step = kNone;
  if (session) demand(session->synchronise(step));
  return constants;
}

}  // namespace

Program load(Plan plan, Backend* backend, bool is_body) {
  verify_structure(plan);
  if (is_body && backend != nullptr) {
    for (BufferSpec& spec : plan.buffers) spec.on_device = true;
    for (Step& step : plan.steps) step.on_device = true;
    verify_body_on_device(plan);
  } else {
    // A window lies where its base does.
    for (BufferSpec& spec : plan.buffers) {
      if (spec.is_window()) spec.on_device = plan.buffer(spec.base).on_device;
    }
    verify_places(plan, backend != nullptr);
  }
  Schedule schedule = make_schedule(plan);
  verify_rules(plan, schedule);
  for (int id = 0; id < plan.n_steps(); ++id) find_kernel_of(plan, backend, id, plan.steps[id]);
  std::vector<DeviceMemory> constants = upload_constants(plan, backend);
  return {std::move(plan), std::move(schedule), backend, std::move(constants)};
}

}  // namespace arignote
