#include "backend/blas_lt.hpp"

#include <map>
#include <mutex>
#include <utility>

#include "backend/device.hpp"
#include "backend/library.hpp"

namespace arignote::device {
namespace {

// The last version whose functions are known to be as blas_lt_api.hpp says.
constexpr int kNewest = 13;

bool resolve_all(void* library, blas_lt::Api& api) {
  return resolve(library, "cublasLtGetVersion", api.version) &&
         resolve(library, "cublasLtGetStatusName", api.status_name) &&
         resolve(library, "cublasLtCreate", api.create) &&
         resolve(library, "cublasLtMatmulDescCreate", api.create_product) &&
         resolve(library, "cublasLtMatmulDescDestroy", api.destroy_product) &&
         resolve(library, "cublasLtMatmulDescSetAttribute", api.set_product) &&
         resolve(library, "cublasLtMatrixLayoutCreate", api.create_matrix) &&
         resolve(library, "cublasLtMatrixLayoutDestroy", api.destroy_matrix) &&
         resolve(library, "cublasLtMatmulPreferenceCreate", api.create_preference) &&
         resolve(library, "cublasLtMatmulPreferenceDestroy", api.destroy_preference) &&
         resolve(library, "cublasLtMatmulPreferenceSetAttribute", api.set_preference) &&
         resolve(library, "cublasLtMatmulAlgoGetHeuristic", api.choose) &&
         resolve(library, "cublasLtMatmul", api.multiply);
}

}  // namespace

const BlasLt* BlasLt::of(const Device& device, Status& status) {
  static std::mutex mutex;
  static auto& found = *new std::map<int, BlasLt>;
  const std::scoped_lock lock(mutex);
  if (const auto place = found.find(device.number()); place != found.end()) return &place->second;
  BlasLt made;
  if (!made.find()) return nullptr;
  device.enter();
  status = made.status_of(made.api_.create(&made.handle_));
  if (!status.ok()) return nullptr;
  return &(found[device.number()] = made);
}

bool BlasLt::find() {
  return find_newest("libcublasLt", kNewest,
                     [&](void* library) { return resolve_all(library, api_); });
}

std::string BlasLt::version() const {
  const std::size_t version = api_.version();
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

// A status has a text that lasts for ever.
Status BlasLt::status_of(int result) const {
  if (result == blas_lt::kSuccess) return {};
  if (result == blas_lt::kAllocationFailed) return Status::out_of_memory(-1);
  try {
    static std::mutex mutex;
    static auto& texts = *new std::map<int, std::string>;
    const std::scoped_lock lock(mutex);
    std::string& text = texts[result];
    if (text.empty()) text = std::string("cuBLASLt says ") + api_.status_name(result);
    return Status::device_error(text.c_str());
  } catch (...) {
    return Status::device_error("a call of cuBLASLt has failed");  // no memory for its words
  }
}

}  // namespace arignote::device
