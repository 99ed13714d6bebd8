#include "bench/vendor/api.h"

#include <dlfcn.h>

#include <initializer_list>
#include <type_traits>

namespace ebb {
namespace {

void* open_first(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_GLOBAL)) return library;
  }
  return nullptr;
}

VendorApi open_vendor() {
  VendorApi api;
  // cuBLAS first: cuDNN looks for it.
  void* const cublas = open_first({"libcublas.so.13", "libcublas.so.12"});
  void* const cudnn = open_first({"libcudnn.so.9"});
  if (cublas == nullptr || cudnn == nullptr) {
    const char* const name = cublas == nullptr ? "libcublas.so.13 or .12" : "libcudnn.so.9";
    api.missing = cat(name, " was not found. Name its directory in LD_LIBRARY_PATH");
    return api;
  }
  const auto load = [&](void* library, const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr && api.missing.empty())
      api.missing = cat("no ", name, " in the library");
  };
#define EBB_LOAD(name) load(cudnn, #name, api.name);
  EBB_CUDNN_FUNCTIONS(EBB_LOAD)
#undef EBB_LOAD
#define EBB_LOAD(name) load(cublas, #name, api.name);
  EBB_CUBLAS_FUNCTIONS(EBB_LOAD)
  EBB_LOAD(cublasGemmEx)
#undef EBB_LOAD
  return api;
}

}  // namespace

const VendorApi& vendor_api() {
  static const VendorApi api = open_vendor();
  return api;
}

}  // namespace ebb
