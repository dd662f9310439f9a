#include "bindings/info.hpp"

#include <hwy/highway.h>
#include <pybind11/stl.h>

#include <string>
#include <tuple>
#include <vector>

#include "bindings/input_rule.hpp"
#include "bindings/output_memory.hpp"
#include "bindings/unwinding.hpp"
#include "core/buffer.hpp"
#include "core/parallel.hpp"
#include "kernels/block.hpp"
#include "kernels/kernel.hpp"
#include "kernels/measure.hpp"
#include "kernels/target.hpp"
#include "runtime/left_rows.hpp"

namespace py = pybind11;

namespace arignote {
namespace {

constexpr int kMaxThreads = 1024;

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto table : kernel_tables()) {
    for (const KernelEntry& entry : table) names.emplace_back(entry.name);
  }
  return names;
}

auto block_rows() {
  std::vector<std::tuple<std::string, py::tuple, std::string>> rows;
  for (const BlockOp& op : elementwise_ops()) {
    py::tuple inputs(op.arity);
    for (int i = 0; i < op.arity; ++i) inputs[i] = py::str(std::string(name_of(op.in[i])));
    rows.emplace_back(op.name, inputs, name_of(op.out));
  }
  return rows;
}

auto reduction_rows() {
  std::vector<std::tuple<std::string, std::string, std::string, std::string>> rows;
  for (const BlockReduction& op : reductions()) {
    rows.emplace_back(op.name, name_of(op.in), name_of(op.acc), name_of(op.out));
  }
  return rows;
}

void choose_target(const std::string& name) {
  if (!set_target(name)) {
    throw py::value_error("[set_target] name must be one of targets(): " + name);
  }
}

void choose_float_x(const std::string& name) {
  const auto dtype = dtype_from_name(name);
  if (!dtype) throw py::value_error("[set_floatX] name must be that of a dtype: " + name);
  set_float_x(*dtype);
}

void choose_threads(int count) {
  if (count < 0 || count > kMaxThreads) {
    throw py::value_error("[set_threads] count must be from 0 to 1024: " + std::to_string(count));
  }
  set_num_threads(count);
}

py::dict build_info() {
  py::dict info;
  info["compiler"] = std::string(__VERSION__);
  info["highway"] =
      std::to_string(HWY_MAJOR) + "." + std::to_string(HWY_MINOR) + "." + std::to_string(HWY_PATCH);
  return info;
}

double fma_rate(const std::string& name) {
  const auto dtype = dtype_from_name(name);
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
    throw py::value_error("[measure_fma_rate] dtype must be float32 or float64: " + name);
  }
  const GilRelease release;
  return measure_fma_rate(*dtype);
}

double bandwidth(std::size_t size) {
  double rate = 0;
  {
    const GilRelease release;
    rate = measure_bandwidth(size);
  }
  if (rate == 0)
    throw py::value_error("[measure_bandwidth] size must be memory that there is: " +
                          std::to_string(size));
  return rate;
}

}  // namespace

void add_info(py::module_& module) {
  module.def("kernel_table", kernel_names);
  module.def("block_table", block_rows);
  module.def("reduction_table", reduction_rows);
  module.def("dtype_names", [] {
    return std::vector<std::string>(std::begin(kDTypeNames), std::end(kDTypeNames));
  });
  module.def("targets", available_targets);
  module.def("current_target", current_target);
  module.def("set_target", choose_target, py::arg("name"));
  module.def("set_floatX", choose_float_x, py::arg("name"));
  module.def("set_threads", choose_threads, py::arg("count"));
  module.def("threads", num_threads);
  module.def("allocations", [] { return allocation_counter.load(std::memory_order_relaxed); });
  module.def("left_outputs", [] { return left_output_counter.load(std::memory_order_relaxed); });
  module.def("release_memory", release_memory);
  module.def("build_info", build_info);
  module.def("measure_bandwidth", bandwidth, py::arg("size"));
  module.def("measure_fma_rate", fma_rate, py::arg("dtype"));
}

}  // namespace arignote
