#pragma once

// The library: include this file. Names are ebb::Context, ebb::Pipeline and so on.
//
//   ebb::Context context = ebb::make_context({.device = "cpu"});
//   ebb::Pipeline pipeline(context, ebb::Model::load(context, "mnist-class"), {.steps = 100});
//   pipeline.generate({.prompts = {"7"}, .seed = 1}).front().save_png("seven.png");
//
// docs/embedding.md tells more. The library prints nothing, installs no signal handlers and keeps
// no state outside these objects.

#include <ebb/context.h>
#include <ebb/error.h>
#include <ebb/image.h>
#include <ebb/model.h>
#include <ebb/pipeline.h>
#include <ebb/trainer.h>

namespace ebb {

using api::Context;
using api::ContextOptions;
using api::GenerateCallback;
using api::GenerateRequest;
using api::GenerateStep;
using api::Image;
using api::list_devices;
using api::make_context;
using api::Model;
using api::Pipeline;
using api::PipelineOptions;
using api::Precision;
using api::Trainer;
using api::TrainerOptions;
using api::TrainerStep;

}  // namespace ebb
