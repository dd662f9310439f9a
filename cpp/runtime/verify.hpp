// Holds a plan against its rules when it is loaded. What passes can neither read nor write out of
// bounds, and a call of it that fails has changed no state.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/device_memory.hpp"
#include "runtime/plan.hpp"
#include "runtime/schedule.hpp"

namespace arignote {

// `[plan] what must hold: what was found`, naming the step, buffer or register.
class PlanError : public std::runtime_error {
 public:
  explicit PlanError(const std::string& text) : std::runtime_error("[plan] " + text) {}
};

// A verified plan. Immutable and shared by all who run it.
struct Program {
  Plan plan;
  Schedule schedule;
  Backend* backend = nullptr;  // of the plan's device, null if all of it runs on the CPU
  std::vector<DeviceMemory> constants;  // by number, of those on the device
};

// Every id is in range, and points backwards where it could make a circle.
void verify_structure(const Plan& plan);

// Everything is written once and before it is read, nothing that is read later is overwritten.
void verify_rules(const Plan& plan, const Schedule& schedule);

// Whether a step may fail when it runs, other than as any step of a device may: with the device
// itself, as transfers do, too.
bool may_fail(const Step& step);

// Everything lies on the host, or where the steps that use it run.
void verify_places(const Plan& plan, bool has_device);
// The same for a body on a device, all of which lies there: nothing needs the host.
void verify_body_on_device(const Plan& plan);

// All of these, after which the kernels' factories are asked and constants are brought to the
// device. The body of a device's step lies there, whatever it says itself. Throws PlanError,
// std::bad_alloc, or std::runtime_error if the device fails.
Program load(Plan plan, Backend* backend, bool is_body);

}  // namespace arignote
