// From the dicts and lists of Python to a Plan.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/program.hpp"
#include "core/buffer.hpp"

namespace py = pybind11;

namespace arignote {
namespace {

using Row = std::tuple<std::string, std::int64_t, std::int64_t>;

// A part of the spec, which knows its name for messages.
class Part {
 public:
  Part(py::handle object, std::string name) : name_(std::move(name)) {
    if (!py::isinstance<py::dict>(object)) throw py::type_error(text("must be a dict"));
    dict_ = py::reinterpret_borrow<py::dict>(object);
  }

  py::object object(const char* key) const {
    if (!dict_.contains(key)) throw py::value_error(text("must have " + std::string(key)));
    return dict_[key];
  }

  template <class T>
  T get(const char* key) const {
    const py::object value = object(key);
    try {
      return value.cast<T>();
    } catch (const py::cast_error&) {
      throw py::type_error(
          text(std::string(key) + " has the wrong type: " +
               py::str(py::type::handle_of(value).attr("__name__")).cast<std::string>()));
    }
  }

  template <class T>
  T get(const char* key, T missing) const {
    return dict_.contains(key) ? get<T>(key) : missing;
  }

  std::string text(const std::string& rest) const { return "[plan] " + name_ + " " + rest; }

 private:
  py::dict dict_;
  std::string name_;
};

class Loader {
 public:
  // of_step: what is loaded is the body of a step, which has no bodies in turn.
  Loader(py::handle spec, Backend* backend, bool of_step)
      : spec_(spec, "the spec"), backend_(backend), of_step_(of_step) {}

  std::unique_ptr<LoadedProgram> load() {
    for (const Row& row : spec_.get<std::vector<Row>>("dims")) dim(row);
    for (const Row& row : spec_.get<std::vector<Row>>("checks")) check(row);
    for (const py::handle item : spec_.get<py::list>("buffers")) {
      buffer(Part(item, "buffer " + std::to_string(plan_.n_buffers())));
    }
    for (const py::handle item : spec_.get<py::list>("steps")) {
      step(Part(item, "step " + std::to_string(plan_.n_steps())));
    }
    plan_.outputs = spec_.get<std::vector<int>>("outputs");
    for (const auto& [state, value] : spec_.get<std::vector<std::pair<int, int>>>("updates")) {
      plan_.updates.push_back({state, value});
    }
    count_allocation();
    loaded_->program = arignote::load(std::move(plan_), backend_, of_step_);
    return std::move(loaded_);
  }

 private:
  void dim(const Row& row) {
    const auto& [name, a, b] = row;
    const auto op = dim_op_from_name(name);
    if (!op) throw py::value_error("[plan] dims must have a known operation: " + name);
    plan_.dims.push_back({*op, a, b});
  }

  void check(const Row& row) {
    const auto& [name, a, b] = row;
    constexpr std::array<std::string_view, 3> kKinds = {"equal", "index", "true"};
    const auto* const kind = std::find(kKinds.begin(), kKinds.end(), name);
    if (kind == kKinds.end())
      throw py::value_error("[plan] checks must be equal, index or true: " + name);
    Check check{.kind = static_cast<CheckKind>(kind - kKinds.begin()),
                .a = register_id(a),
                .b = register_id(b)};
    if (check.kind == CheckKind::kTrue) check.b = check.a;
    plan_.checks.push_back(check);
  }

  // Out of range stays out of range.
  static int register_id(std::int64_t id) {
    return id < 0 || id > INT32_MAX ? kNone : static_cast<int>(id);
  }

  void buffer(const Part& part) {
    const auto kind = part.get<std::string>("kind");
    constexpr std::array<std::string_view, 7> kKinds = {"input", "state", "const",  "scalar",
                                                        "temp",  "view",  "reshape"};
    const auto* const found = std::find(kKinds.begin(), kKinds.end(), kind);
    if (found == kKinds.end()) throw py::value_error(part.text("must have a known kind: " + kind));
    const auto dtype = dtype_from_name(part.get<std::string>("dtype"));
    if (!dtype) throw py::value_error(part.text("must have a known dtype"));
    if (type_num_of(*dtype) == kNoTypeNum) {
      throw py::value_error(part.text("must have a dtype that NumPy knows: import ml_dtypes"));
    }

    BufferSpec spec;
    spec.kind = static_cast<BufferKind>(found - kKinds.begin());
    spec.dtype = *dtype;
    spec.on_device = part.get<bool>("device", false);
    spec.shape = part.get<std::vector<int>>("shape");
    switch (spec.kind) {
      case BufferKind::kInput:
        spec.broadcastable = part.get<std::vector<bool>>("broadcastable");
        spec.number = add_to(plan_.input_buffers);
        break;
      case BufferKind::kState: spec.number = add_to(plan_.state_buffers); break;
      case BufferKind::kConst:
        constant(part, *dtype);
        spec.number = add_to(plan_.constant_buffers);
        break;
      case BufferKind::kScalar: spec.value = part.get<int>("value"); break;
      case BufferKind::kTemp: spec.storage = part.get<int>("storage", kNone); break;
      case BufferKind::kView:
        spec.base = part.get<int>("base");
        spec.offset = part.get<int>("offset");
        spec.strides = part.get<std::vector<int>>("strides");
        break;
      case BufferKind::kReshape: spec.base = part.get<int>("base"); break;
    }
    plan_.buffers.push_back(std::move(spec));
  }

  int add_to(std::vector<int>& numbered) const {
    numbered.push_back(plan_.n_buffers());
    return static_cast<int>(numbered.size()) - 1;
  }

  void constant(const Part& part, DType dtype) {
    py::object array = part.object("array");
    auto* const data = reinterpret_cast<PyArrayObject*>(array.ptr());
    if (!PyArray_Check(array.ptr()) || dtype_of(PyArray_DESCR(data)) != dtype ||
        !PyArray_IS_C_CONTIGUOUS(data) || !is_behaved(data)) {
      throw py::value_error(part.text("must have a C-contiguous array of its dtype"));
    }
    const Source source = source_of(data);
    const auto ndim = static_cast<std::size_t>(PyArray_NDIM(data));
    plan_.constants.push_back({.data = source.data,
                               .shape = {source.shape, source.shape + ndim},
                               .strides = {source.strides, source.strides + ndim}});
    loaded_->constants.emplace_back(array.release().ptr());
  }

  void step(const Part& part) {
    Step step;
    step.on_device = part.get<bool>("device", false);
    step.spec.kernel = part.get<std::string>("kernel");
    step.spec.ints = part.get<std::vector<std::int64_t>>("ints", {});
    step.spec.reals = part.get<std::vector<double>>("reals", {});
    step.spec.names = part.get<std::vector<std::string>>("names", {});
    step.dims = part.get<std::vector<int>>("dims", {});
    step.inputs = part.get<std::vector<int>>("inputs");
    step.outputs = part.get<std::vector<int>>("outputs");
    for (const auto& [id, value] : part.get<std::vector<std::pair<int, bool>>>("guards", {})) {
      step.guards.push_back({id, value});
    }
    Ref host;
    if (step.spec.kernel == "reshape") step.kind = StepKind::kReshape;
    if (step.spec.kernel == "by_rows") {
      step.kind = StepKind::kByRows;
      if (of_step_) throw py::value_error(part.text("must not have a body inside a body"));
      auto body = Loader(part.object("body"), step.on_device ? backend_ : nullptr, true).load();
      for (Ref& constant : body->constants) loaded_->constants.push_back(std::move(constant));
      step.body = std::make_shared<const Program>(std::move(body->program));
    }
    if (step.spec.kernel == "host") {
      step.kind = StepKind::kHost;
      const py::object callable = part.object("host");
      if (PyCallable_Check(callable.ptr()) == 0)
        throw py::type_error(part.text("host must be callable"));
      host = new_ref(callable.ptr());
    }
    loaded_->hosts.push_back(std::move(host));
    plan_.steps.push_back(std::move(step));
  }

  Part spec_;
  Backend* backend_;
  bool of_step_;
  Plan plan_;
  std::unique_ptr<LoadedProgram> loaded_ = std::make_unique<LoadedProgram>();
};

}  // namespace

std::unique_ptr<LoadedProgram> load_spec(PyObject* spec, Backend* backend) {
  return Loader(spec, backend, false).load();
}

}  // namespace arignote
