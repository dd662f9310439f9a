// The headers that compiled programs include, as text: see embed.cmake.
#pragma once

#include <span>

namespace arignote::device {

struct EmbeddedHeader {
  const char* name;  // as it is included
  const char* text;
};

std::span<const EmbeddedHeader> embedded_headers();

}  // namespace arignote::device
