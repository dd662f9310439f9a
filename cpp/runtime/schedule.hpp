// What follows from a plan: when each thing is known, and how long each memory is needed.
//
// A register that reads what a step computed cuts the plan: nothing that depends on it can be laid
// out before that step has run. The pieces between the cuts are the segments.
#pragma once

#include <vector>

#include "runtime/plan.hpp"

namespace arignote {

struct Segment {
  int begin = 0;  // its steps
  int end = 0;
  std::vector<int> values;   // registers that are read from memory when the segment is entered
  std::vector<int> dims;     // the other registers it settles, operands first
  std::vector<int> checks;
  std::vector<int> buffers;  // whose layout it settles, bases first
  std::vector<int> slots;    // those of them with memory in its arena
  std::vector<int> outputs;  // numbers of the outputs among them
};

// The steps during which memory is in use, both included.
struct Lifetime {
  int first = 0;
  int last = 0;
};

struct Schedule {
  std::vector<int> dim_ready;     // first step before which a register can be known
  std::vector<int> buffer_ready;  // the same for a buffer's layout
  std::vector<int> writer;        // step that writes a temp or reshape, kNone for the rest
  std::vector<std::vector<int>>
      readers;  // steps, ascending; n_steps stands for the end of the call
  std::vector<Lifetime> lifetimes;  // of temps and reshapes, with all that shares their memory
  std::vector<int> segment_of;  // a buffer's segment
  std::vector<int> output_number;  // kNone for buffers that are no output
  std::vector<Segment> segments;
  int first_write = 0;  // first step that writes into a state, n_steps if none does
};

// Needs a plan whose ids are all in range and point backwards (verify_structure).
Schedule make_schedule(const Plan& plan);

}  // namespace arignote
