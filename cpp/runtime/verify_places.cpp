// Where buffers lie and steps run: the part of the verifier that plans for a device need.
#include <string>

#include "runtime/verify.hpp"

namespace arignote {
namespace {

class Places {
 public:
  explicit Places(const Plan& plan) : plan_(plan) {}

  void verify() const {
    for (int id = 0; id < plan_.n_buffers(); ++id) buffer(id);
    for (int id = 0; id < plan_.n_steps(); ++id) step(id);
    for (const Dim& dim : plan_.dims) {
      if (dim.op == DimOp::kRead || dim.op == DimOp::kValue) {
        host(static_cast<int>(dim.a), "what a register reads");
      }
    }
    for (const int id : plan_.outputs) host(id, "an output");
    for (const StateUpdate& update : plan_.updates) {
      together(update.state, update.value, "a state and its new value");
    }
  }

 private:
  bool on_device(int id) const { return plan_.buffer(id).on_device; }

  static void require(bool holds, int id, const std::string& what, const char* where) {
    if (!holds) throw PlanError(what + " must lie " + where + ": buffer " + std::to_string(id));
  }
  void host(int id, const std::string& what) const {
    require(!on_device(id), id, what, "on the host");
  }
  void device(int id, const std::string& what) const {
    require(on_device(id), id, what, "on the device");
  }
  void together(int id, int other, const std::string& what) const {
    require(on_device(id) == on_device(other), id, what, "in one place");
  }

  void buffer(int id) const {
    if (plan_.buffer(id).kind == BufferKind::kInput) host(id, "an input");
    const int parent = plan_.parent(id);
    if (parent != kNone) together(id, parent, "a buffer and that in whose memory it is");
  }

  void step(int id) const {
    const Step& step = plan_.step(id);
    const std::string where = "step " + std::to_string(id) + " (" + step.spec.kernel + "): ";
    const bool is_upload = step.spec.kernel == "to_device";
    const bool is_download = step.spec.kernel == "to_host";
    if (step.on_device && step.kind == StepKind::kHost) {
      throw PlanError(where + "such a step must run on the host");
    }
    if ((is_upload || is_download) && !step.on_device) {
      throw PlanError(where + "it must be a step of the device");
    }
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      // The host decides what a condition chooses.
      const bool is_condition = step.spec.kernel == "ifelse" && i == 0;
      step.on_device && !is_upload && !is_condition ? device(step.inputs[i], where + "an input")
                                                    : host(step.inputs[i], where + "an input");
    }
    for (const int buffer : step.outputs) {
      step.on_device && !is_download ? device(buffer, where + "an output")
                                     : host(buffer, where + "an output");
    }
    for (const Guard& guard : step.guards) host(guard.buffer, where + "a guard");
  }

  const Plan& plan_;
};

bool is_all_host(const Plan& plan) {
  for (const BufferSpec& spec : plan.buffers) {
    if (spec.on_device) return false;
  }
  for (const Step& step : plan.steps) {
    if (step.on_device) return false;
  }
  return true;
}

}  // namespace

void verify_body_on_device(const Plan& plan) {
  for (const Step& step : plan.steps) {
    const bool is_for_host = step.kind == StepKind::kHost || step.spec.kernel == "ifelse" ||
                             step.spec.kernel == "to_device" || step.spec.kernel == "to_host";
    if (is_for_host || !step.guards.empty()) {
      throw PlanError("a body on a device must do without the host: " + step.spec.kernel);
    }
  }
  for (const Dim& dim : plan.dims) {
    if (dim.op == DimOp::kRead || dim.op == DimOp::kValue) {
      throw PlanError("a body on a device must not read sizes from memory");
    }
  }
}

void verify_places(const Plan& plan, bool has_device) {
  if (is_all_host(plan)) return;
  if (!has_device) throw PlanError("what lies on a device must come with one: there is none");
  Places(plan).verify();
}

}  // namespace arignote
