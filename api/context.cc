#include <ebb/context.h>

#include "api/impl.h"
#include "base/error.h"
#include "engine/backend.h"

namespace ebb::api {
namespace {

ebb::Precision internal_precision(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return ebb::Precision::kF32;
    case Precision::kTf32:
      return ebb::Precision::kTf32;
    case Precision::kBF16:
      return ebb::Precision::kBF16;
    case Precision::kF16:
      return ebb::Precision::kF16;
  }
  throw UsageError("precision: is none of kF32, kTf32, kBF16, kF16");
}

}  // namespace

Context make_context(const ContextOptions& options) {
  auto impl = std::make_shared<Context::Impl>();
  impl->context = ebb::make_context({.device = options.device,
                                     .threads = options.threads,
                                     .precision = internal_precision(options.precision)});
  return Context(std::move(impl));
}

std::string Context::device() const { return to_string(context_of(*this).device()); }

std::vector<std::string> list_devices() { return ebb::list_devices(); }

ebb::Context& context_of(const Context& context) {
  EBB_CHECK(context.impl() != nullptr, UsageError,
            "context: was moved from. Copy it instead; copies are the same context.");
  return *context.impl()->context;
}

}  // namespace ebb::api
