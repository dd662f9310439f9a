// What differs between the turns of a loop that the device runs by itself.
#pragma once

#include "device/fault.cuh"
#include "device/language.cuh"
#include "runtime/backend.hpp"

namespace arignote::device {

int launch_copy_of_turn(const TurnCopy& copy, const std::int64_t* turn, const Fault* fault,
                        Stream stream);
int launch_end_turn(std::int64_t* turn, const Fault* fault, Stream stream);

}  // namespace arignote::device
