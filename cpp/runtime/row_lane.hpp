// One thread's part of a row block.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/view.hpp"
#include "runtime/context.hpp"
#include "runtime/row_cut.hpp"
#include "runtime/row_sums.hpp"

namespace arignote {

// Runs the body on one block after another.
class Lane final : public Host {
 public:
  Lane(const Program& body, std::span<const Layout> inputs, std::span<const std::int64_t> cut,
       std::size_t levels, Session* session)
      : context_(body, session),
        layouts_(inputs.begin(), inputs.end()),
        cut_(cut),
        levels_(levels) {
    for (Targets& targets : levels_) targets.resize(body.plan.outputs.size());
    scratch_.resize(body.plan.outputs.size());
    for (const Layout& layout : layouts_) {
      sources_.push_back({.shape = layout.shape.data(), .strides = layout.strides.data()});
    }
  }

  // Lays the body out for blocks of so many rows, or for the inputs as they are.
  Status prepare(std::int64_t rows) {
    set_rows(rows);
    return context_.prepare(sources_);
  }
  Context& context() { return context_; }
  const Context& context() const { return context_; }

  Status run(std::span<std::byte* const> inputs, std::int64_t first, std::int64_t rows,
             const Targets& targets) {
    set_rows(rows);
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const std::int64_t start = cut_[i] < 0 ? 0 : first * layouts_[i].strides[cut_[i]];
      sources_[i].data = inputs[i] + start;
    }
    targets_ = &targets;
    return context_.run(sources_, *this, nullptr);
  }

  // Sums by their depth in the tree of blocks, and those of the block at work.
  std::vector<Targets>& levels() { return levels_; }
  Targets& scratch() { return scratch_; }

  std::byte* output(int number, const Layout&) override { return (*targets_)[number]; }
  std::byte* resized_state(int, const Layout&) override { return nullptr; }
  void expect(double) override {}
  Status call(const Context&, int) override { return Status::bad_plan("a body has no host steps"); }

 private:
  void set_rows(std::int64_t rows) {
    if (rows == kAsTheyAre || rows == rows_) return;
    rows_ = rows;
    for (std::size_t i = 0; i < layouts_.size(); ++i) {
      if (cut_[i] >= 0) layouts_[i].shape[cut_[i]] = rows;
    }
  }

  Context context_;
  std::vector<Layout> layouts_;
  std::vector<Source> sources_;
  std::span<const std::int64_t> cut_;
  std::int64_t rows_ = kAsTheyAre;
  const Targets* targets_ = nullptr;
  std::vector<Targets> levels_;
  Targets scratch_;
};

}  // namespace arignote
