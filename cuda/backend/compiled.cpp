#include "backend/compiled.hpp"

#include "backend/api.hpp"
#include "backend/compiler.hpp"

namespace arignote::device {
namespace {

// Leaves why there is no kernel, if there is none.
void* compile(const Compiler& compiler, const std::string& source, const char* name, int device,
              std::string& refusal) {
  Properties properties{};
  int error = api().properties(device, &properties);
  std::string image;
  if (error == kNoError) {
    const int capability = 10 * properties.major + properties.minor;
    if (!compiler.compile(source, capability, image, refusal)) return nullptr;
    void* kernel = nullptr;
    error = load_kernel(image, name, &kernel);
    if (error == kNoError) return kernel;
  }
  refusal = api().error_text(error);
  return nullptr;
}

}  // namespace

void* CompiledKernels::find(const std::string& source, const char* name, int device) {
  const Compiler* const available = compiler();
  if (available == nullptr) return nullptr;
  const std::scoped_lock lock(mutex_);
  const auto [found, is_new] = kernels_.try_emplace(source, nullptr);
  if (!is_new) return found->second;
  std::string refusal;
  found->second = compile(*available, source, name, device, refusal);
  if (found->second == nullptr) refused_.push_back(std::move(refusal));
  return found->second;
}

CompiledKernels::Report CompiledKernels::report() {
  const std::scoped_lock lock(mutex_);
  return {static_cast<int>(kernels_.size()), refused_};
}

void CompiledKernels::forget() {
  const std::scoped_lock lock(mutex_);
  kernels_.clear();
  refused_.clear();
}

}  // namespace arignote::device
