// cuBLASLt for tests, and the libraries that there are: products are loops over the memory that the
// driver for tests gives out. What the real one would refuse, and what would make its results
// depend on chance, is refused here. Any call can be told to fail, by the name it has there.
#include <dlfcn.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "backend/blas_lt_api.hpp"
#include "backend/library.hpp"
#include "core/half.hpp"
#include "device/emulation.hpp"
#include "driver.hpp"

namespace py = pybind11;

namespace arignote::device {
namespace {

constexpr int kInvalidValue = 7;

// --- what calls are given

enum class Kind : std::uint8_t { kHandle, kProduct, kMatrix, kPreference };

struct Object {
  Kind kind;
  int type = 0;  // of elements, or of factors
  int compute_type = 0;
  bool is_transposed[2] = {false, false};
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t step = 0;
  std::map<int, std::uint64_t> values = {};
};

struct Library {
  std::size_t version;
  std::set<std::string> missing;
  bool is_loaded = false;
};

class Fake {
 public:
  static Fake& get() {
    static auto& fake = *new Fake;
    return fake;
  }

  std::mutex mutex;
  std::map<std::string, Library> libraries;  // by path
  std::set<Object*> objects;
  std::size_t least_alignment = 1;  // no algorithm is for less

  Object* of(void* pointer, Kind kind) const {
    auto* const object = static_cast<Object*>(pointer);
    return objects.contains(object) && object->kind == kind ? object : nullptr;
  }
};

// Calls work(fake) as a call of that name, in a lock.
template <class Work>
int as_call(const char* name, Work&& work) {
  if (const int error = enter_call(name); error != 0) return error;
  Fake& fake = Fake::get();
  const std::scoped_lock lock(fake.mutex);
  return work(fake);
}

int make(Fake& fake, void** made, const Object& object) {
  *made = *fake.objects.insert(new Object(object)).first;
  return blas_lt::kSuccess;
}

template <Kind kKind>
int destroy(void* pointer) {
  Fake& fake = Fake::get();
  const std::scoped_lock lock(fake.mutex);
  Object* const object = fake.of(pointer, kKind);
  if (object == nullptr) return kInvalidValue;
  fake.objects.erase(object);
  delete object;
  return blas_lt::kSuccess;
}

// Of elements; 0 for a type that there is not.
std::int64_t item_of(int type) {
  switch (type) {
    case blas_lt::kFloat16:
    case blas_lt::kBFloat16: return 2;
    case blas_lt::kFloat32: return 4;
    case blas_lt::kFloat64: return 8;
    default: return 0;
  }
}

// What can be multiplied, and added up as what.
struct Combination {
  int compute_type;
  int factors;
  int operands;
  int result;
};
constexpr Combination kCombinations[] = {
    {blas_lt::kComputeFloat32, blas_lt::kFloat32, blas_lt::kFloat16, blas_lt::kFloat16},
    {blas_lt::kComputeFloat32, blas_lt::kFloat32, blas_lt::kFloat16, blas_lt::kFloat32},
    {blas_lt::kComputeFloat32, blas_lt::kFloat32, blas_lt::kBFloat16, blas_lt::kBFloat16},
    {blas_lt::kComputeFloat32, blas_lt::kFloat32, blas_lt::kBFloat16, blas_lt::kFloat32},
    {blas_lt::kComputeFloat32, blas_lt::kFloat32, blas_lt::kFloat32, blas_lt::kFloat32},
    {blas_lt::kComputeTf32, blas_lt::kFloat32, blas_lt::kFloat32, blas_lt::kFloat32},
    {blas_lt::kComputeFloat64, blas_lt::kFloat64, blas_lt::kFloat64, blas_lt::kFloat64},
};

// --- descriptors

std::size_t version_13() { return 131000; }
std::size_t version_12() { return 120805; }

const char* status_name(int status) {
  return status == 13 ? "CUBLAS_STATUS_EXECUTION_FAILED" : "CUBLAS_STATUS_OF_SOME_OTHER_KIND";
}

int create(void** handle) {
  return as_call("cublasLtCreate",
                 [&](Fake& fake) { return make(fake, handle, {.kind = Kind::kHandle}); });
}

int create_product(void** product, int compute_type, int scale_type) {
  return as_call("cublasLtMatmulDescCreate", [&](Fake& fake) {
    const bool is_known = std::ranges::any_of(kCombinations, [&](const Combination& item) {
      return item.compute_type == compute_type && item.factors == scale_type;
    });
    if (!is_known) return kInvalidValue;
    return make(fake, product,
                {.kind = Kind::kProduct, .type = scale_type, .compute_type = compute_type});
  });
}

int set_product(void* product, int attribute, const void* value, std::size_t bytes) {
  return as_call("cublasLtMatmulDescSetAttribute", [&](Fake& fake) {
    Object* const object = fake.of(product, Kind::kProduct);
    std::int32_t operation = 0;
    if (object == nullptr || bytes != sizeof(operation)) return kInvalidValue;
    std::memcpy(&operation, value, bytes);
    const bool is_known = attribute == blas_lt::kTransposeA || attribute == blas_lt::kTransposeB;
    if (!is_known || (operation != 0 && operation != blas_lt::kTransposed)) return kInvalidValue;
    object->is_transposed[attribute - blas_lt::kTransposeA] = operation != 0;
    return blas_lt::kSuccess;
  });
}

int create_matrix(void** matrix, int type, std::uint64_t rows, std::uint64_t columns,
                  std::int64_t step) {
  return as_call("cublasLtMatrixLayoutCreate", [&](Fake& fake) {
    const auto lines = static_cast<std::int64_t>(rows);
    if (item_of(type) == 0 || rows == 0 || columns == 0 || step < lines) return kInvalidValue;
    return make(fake, matrix,
                {.kind = Kind::kMatrix,
                 .type = type,
                 .rows = lines,
                 .columns = static_cast<std::int64_t>(columns),
                 .step = step});
  });
}

int create_preference(void** preference) {
  return as_call("cublasLtMatmulPreferenceCreate",
                 [&](Fake& fake) { return make(fake, preference, {.kind = Kind::kPreference}); });
}

int set_preference(void* preference, int attribute, const void* value, std::size_t bytes) {
  return as_call("cublasLtMatmulPreferenceSetAttribute", [&](Fake& fake) {
    Object* const object = fake.of(preference, Kind::kPreference);
    if (object == nullptr || bytes != (attribute == blas_lt::kMostWorkspace ? 8u : 4u)) {
      return kInvalidValue;
    }
    std::memcpy(&object->values[attribute], value, bytes);
    return blas_lt::kSuccess;
  });
}

// --- products

struct Operands {
  const Object* product;
  const Object* a;
  const Object* b;
  const Object* out;

  std::int64_t depth() const { return product->is_transposed[0] ? a->rows : a->columns; }
  // The form in which an algorithm is for one product alone.
  std::int64_t number() const {
    const std::int64_t types = (product->compute_type * 8 + a->type) * 8 + out->type;
    return ((out->rows * 1009 + out->columns) * 1009 + depth()) * 65536 + types * 4 +
           (product->is_transposed[0] ? 2 : 0) + (product->is_transposed[1] ? 1 : 0);
  }
  bool can_be_multiplied() const {
    return std::ranges::any_of(kCombinations, [&](const Combination& item) {
      return item.compute_type == product->compute_type && item.factors == product->type &&
             item.operands == a->type && item.operands == b->type && item.result == out->type;
    });
  }
};

bool take(const Fake& fake, void* product, void* a, void* b, void* c, void* d, Operands& found) {
  found = {fake.of(product, Kind::kProduct), fake.of(a, Kind::kMatrix), fake.of(b, Kind::kMatrix),
           fake.of(d, Kind::kMatrix)};
  if (found.product == nullptr || found.a == nullptr || found.b == nullptr) return false;
  if (found.out == nullptr || c != d) return false;
  const auto [turns_a, turns_b] = found.product->is_transposed;
  return found.can_be_multiplied() &&
         (turns_a ? found.a->columns : found.a->rows) == found.out->rows &&
         (turns_b ? found.b->rows : found.b->columns) == found.out->columns &&
         (turns_b ? found.b->columns : found.b->rows) == found.depth();
}

// The algorithm tells for which product, alignment and workspace it has been chosen.
int choose(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference,
           int wanted, blas_lt::Choice* choices, int* count) {
  return as_call("cublasLtMatmulAlgoGetHeuristic", [&](Fake& fake) {
    Operands operands{};
    Object* const limits = fake.of(preference, Kind::kPreference);
    if (fake.of(handle, Kind::kHandle) == nullptr || limits == nullptr || wanted != 1 ||
        !take(fake, product, a, b, c, d, operands)) {
      return kInvalidValue;
    }
    const std::uint64_t alignment = limits->values[blas_lt::kAlignmentA];
    for (const int operand : {blas_lt::kAlignmentB, blas_lt::kAlignmentC, blas_lt::kAlignmentD}) {
      if (limits->values[operand] != alignment) return kInvalidValue;
    }
    const bool may_repeat =
        limits->values[blas_lt::kReductionSchemes] == blas_lt::kReductionInComputeType;
    if (!may_repeat) return kInvalidValue;
    *count = 0;
    if (alignment < fake.least_alignment) return blas_lt::kNotSupported;
    *count = 1;
    *choices = {};
    choices->workspace = limits->values[blas_lt::kMostWorkspace];
    choices->algorithm.data[0] = static_cast<std::uint64_t>(operands.number());
    choices->algorithm.data[1] = alignment;
    choices->algorithm.data[2] = choices->workspace;
    return blas_lt::kSuccess;
  });
}

// TF32 has the first ten of a float's digits: rounds to nearest, ties to even.
float rounded_to_tf32(float value) {
  constexpr std::uint32_t kCut = 13;
  auto bits = std::bit_cast<std::uint32_t>(value);
  if (!std::isfinite(value)) return value;
  const std::uint32_t odd = bits >> kCut & 1;
  bits += (std::uint32_t{1} << (kCut - 1)) - 1 + odd;
  return std::bit_cast<float>(bits >> kCut << kCut);
}

// An operand of a product, element by element.
template <class T>
struct Factor {
  const T* data;
  std::int64_t step;
  bool is_transposed;
  bool is_tf32;

  double at(std::int64_t i, std::int64_t j) const {
    const auto value = static_cast<double>(data[is_transposed ? j + i * step : i + j * step]);
    return is_tf32 ? static_cast<double>(rounded_to_tf32(static_cast<float>(value))) : value;
  }
};

template <class T, class Out, class Sum>
void multiply_as(const Operands& o, const void* a, const void* b, bool adds, void* out) {
  const bool is_tf32 = o.product->compute_type == blas_lt::kComputeTf32;
  const auto [turns_a, turns_b] = o.product->is_transposed;
  const Factor<T> left{static_cast<const T*>(a), o.a->step, turns_a, is_tf32};
  const Factor<T> right{static_cast<const T*>(b), o.b->step, turns_b, is_tf32};
  std::vector<double> sums(static_cast<std::size_t>(o.out->rows));
  for (std::int64_t j = 0; j < o.out->columns; ++j) {
    sums.assign(sums.size(), 0);
    for (std::int64_t depth = 0; depth < o.depth(); ++depth) {
      const double factor = right.at(depth, j);
      for (std::int64_t i = 0; i < o.out->rows; ++i) {
        sums[static_cast<std::size_t>(i)] += left.at(i, depth) * factor;
      }
    }
    Out* const column = static_cast<Out*>(out) + j * o.out->step;
    for (std::int64_t i = 0; i < o.out->rows; ++i) {
      const Sum sum = static_cast<Sum>(sums[static_cast<std::size_t>(i)]);
      column[i] = Out(adds ? sum + static_cast<Sum>(column[i]) : sum);
    }
  }
}

void multiply_any(const Operands& o, const void* a, const void* b, bool adds, void* out) {
  const auto with = [&](auto multiply) { multiply(o, a, b, adds, out); };
  switch (o.a->type) {
    case blas_lt::kFloat64: return with(multiply_as<double, double, double>);
    case blas_lt::kFloat32: return with(multiply_as<float, float, float>);
    case blas_lt::kFloat16:
      return o.out->type == blas_lt::kFloat32 ? with(multiply_as<Half, float, float>)
                                              : with(multiply_as<Half, Half, float>);
    default:
      return o.out->type == blas_lt::kFloat32 ? with(multiply_as<BFloat, float, float>)
                                              : with(multiply_as<BFloat, BFloat, float>);
  }
}

// A factor of a product, in the type of its sums.
double factor_of(const Object& product, const void* factor) {
  if (product.type == blas_lt::kFloat64) return *static_cast<const double*>(factor);
  return static_cast<double>(*static_cast<const float*>(factor));
}

bool holds(const void* data, const Object& matrix, std::uint64_t alignment) {
  const std::int64_t elements = (matrix.columns - 1) * matrix.step + matrix.rows;
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0 &&
         is_on_device(data, static_cast<std::size_t>(elements * item_of(matrix.type)));
}

int multiply(void* handle, void* product, const void* alpha, const void* a, void* a_matrix,
             const void* b, void* b_matrix, const void* beta, const void* c, void* c_matrix,
             void* d, void* d_matrix, const blas_lt::Algorithm* algorithm, void* workspace,
             std::size_t workspace_bytes, void* stream) {
  return as_call("cublasLtMatmul", [&](Fake& fake) {
    Operands operands{};
    const bool fits = fake.of(handle, Kind::kHandle) != nullptr && stream != nullptr && c == d &&
                      take(fake, product, a_matrix, b_matrix, c_matrix, d_matrix, operands) &&
                      algorithm->data[0] == static_cast<std::uint64_t>(operands.number()) &&
                      algorithm->data[2] <= workspace_bytes;
    const bool lies_well =
        fits && holds(a, *operands.a, algorithm->data[1]) &&
        holds(b, *operands.b, algorithm->data[1]) && holds(d, *operands.out, algorithm->data[1]) &&
        reinterpret_cast<std::uintptr_t>(workspace) % blas_lt::kWorkspaceAlignment == 0 &&
        is_on_device(workspace, workspace_bytes);
    if (!lies_well) return kInvalidValue;
    // A product is left as it is, or added to what is there.
    const double kept = factor_of(*operands.product, beta);
    if (factor_of(*operands.product, alpha) != 1 || (kept != 0 && kept != 1)) return kInvalidValue;
    // What describes it is as it is now, also if the product is kept for later.
    const auto work =
        [=, copies = std::array{*operands.product, *operands.a, *operands.b, *operands.out}] {
          const Operands own{&copies[0], &copies[1], &copies[2], &copies[3]};
          std::memset(workspace, 0xA5, workspace_bytes);
          multiply_any(own, a, b, kept == 1, d);
          return blas_lt::kSuccess;
        };
    if (!emulation::keeps(stream)) return work();
    emulation::append(stream, work);
    return blas_lt::kSuccess;
  });
}

template <class Function>
void* address(Function function) {
  return reinterpret_cast<void*>(function);
}

void* function_of(const Library& library, const std::string& name) {
  static const std::map<std::string, void*> functions = {
      {"cublasLtGetStatusName", address(status_name)},
      {"cublasLtCreate", address(create)},
      {"cublasLtMatmulDescCreate", address(create_product)},
      {"cublasLtMatmulDescDestroy", address(destroy<Kind::kProduct>)},
      {"cublasLtMatmulDescSetAttribute", address(set_product)},
      {"cublasLtMatrixLayoutCreate", address(create_matrix)},
      {"cublasLtMatrixLayoutDestroy", address(destroy<Kind::kMatrix>)},
      {"cublasLtMatmulPreferenceCreate", address(create_preference)},
      {"cublasLtMatmulPreferenceDestroy", address(destroy<Kind::kPreference>)},
      {"cublasLtMatmulPreferenceSetAttribute", address(set_preference)},
      {"cublasLtMatmulAlgoGetHeuristic", address(choose)},
      {"cublasLtMatmul", address(multiply)},
  };
  if (library.missing.contains(name)) return nullptr;
  if (name == "cublasLtGetVersion") {
    return library.version == version_13() ? address(version_13) : address(version_12);
  }
  const auto found = functions.find(name);
  return found == functions.end() ? nullptr : found->second;
}

std::string file_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

// --- libraries

// All others are the machine's.
void* open_library(const char* path, bool must_be_loaded) {
  if (!file_of(path).starts_with("libcublasLt.")) {
    return dlopen(path, RTLD_NOW | RTLD_LOCAL | (must_be_loaded ? RTLD_NOLOAD : 0));
  }
  Fake& fake = Fake::get();
  const std::scoped_lock lock(fake.mutex);
  for (auto& [place, library] : fake.libraries) {
    const bool is_it = must_be_loaded ? library.is_loaded && file_of(place) == path : place == path;
    if (!is_it) continue;
    library.is_loaded = true;
    return &library;
  }
  return nullptr;
}

void* find_function(void* library, const char* name) {
  Fake& fake = Fake::get();
  const std::scoped_lock lock(fake.mutex);
  for (const auto& [place, own] : fake.libraries) {
    if (&own == library) return function_of(own, name);
  }
  return dlsym(library, name);
}

void add_blas_lt(py::module_& module);
void add_blas_lt(py::module_& module) {
  module.def(
      "set_libraries",
      [](const std::map<std::string, std::vector<std::string>>& missing,
         std::size_t least_alignment) {
        Fake& fake = Fake::get();
        const std::scoped_lock lock(fake.mutex);
        fake.least_alignment = least_alignment;
        fake.libraries.clear();
        for (const auto& [path, names] : missing) {
          const bool is_new = path.ends_with(".13");
          fake.libraries[path] = {is_new ? version_13() : version_12(),
                                  {names.begin(), names.end()}};
        }
      },
      py::arg("missing"), py::arg("least_alignment") = 1,
      "Set by their paths which libraries there are, and which functions each has not.");
  module.def("blas_objects", [] {
    Fake& fake = Fake::get();
    const std::scoped_lock lock(fake.mutex);
    return fake.objects.size();
  });
}

}  // namespace arignote::device
