#pragma once

#include <ebb/context.h>
#include <ebb/image.h>
#include <ebb/model.h>

#include <memory>
#include <string>

#include "diffusion/model.h"
#include "engine/context.h"
#include "image/image.h"

// The implementations behind the classes of include/ebb: programs see ebb::api::X, the engine's own
// is ebb::X.
namespace ebb::api {

struct Context::Impl {
  std::unique_ptr<ebb::Context> context;
};

struct Model::Impl {
  std::shared_ptr<Context::Impl> context;  // whose device holds the weights
  ebb::Model model;
};

// UsageError when a moved-from or foreign context is given, or the model is of another one.
ebb::Context& context_of(const Context& context);
void check_same_context(const Context& context, const Model& model);

// ShapeError, naming `field`, when the pixels do not fit the size.
ebb::Image to_internal(const Image& image, const std::string& field);
Image to_public(ebb::Image image);

}  // namespace ebb::api
