// Holds a plan against its rules when it is loaded. What passes can neither read nor write out of
// bounds, and a call of it that fails has changed no state.
#pragma once

#include <stdexcept>
#include <string>

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
};

// Every id is in range, and points backwards where it could make a circle.
void verify_structure(const Plan& plan);

// Everything is written once and before it is read, nothing that is read later is overwritten.
void verify_rules(const Plan& plan, const Schedule& schedule);

// Both, after which the kernels' factories are asked; throws PlanError.
Program load(Plan plan);

}  // namespace arignote
