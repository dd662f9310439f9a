// What the libraries for tests have in common with the driver for tests.
#pragma once

#include <cstddef>

namespace arignote::device {

// Counts a call of that name; returns the error with which it is to fail, or 0.
int enter_call(const char* name);

// Whether the bytes lie inside one block of the device's.
bool is_on_device(const void* memory, std::size_t bytes);

}  // namespace arignote::device
