#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/param.h"
#include "weights/weight_source.h"

namespace ebb {

// UNets in the files of their authors: OpenAI's guided-diffusion and DeepFloyd IF, before diffusers
// renamed them. `ebb convert --as` takes these names.
inline constexpr const char* kOriginalUnets[] = {"deepfloyd-if", "guided-diffusion-64",
                                                 "guided-diffusion-256"};
bool is_original_unet(const std::string& name);

// The config.json of diffusers for such a file: block structure and settings are those that were
// published, widths are read from the tensors. FormatError when the file is of no such network.
Json original_unet_config(const std::string& name, const WeightSource& source);

// The scheduler_config.json that goes with it, and the class of its pipeline.
Json original_scheduler_config(const std::string& name, const Json& unet_config);
std::string original_pipeline_class(const std::string& name, const Json& unet_config);

// Rows of the joined projections of an attention: all of q, then k, then v, or those of each head
// together.
enum class AttentionOrder { kNew, kOld };

// The same weights under diffusers' names: projections are taken apart. `specs` are the network's
// parameters, `head_width` that of its attentions. FormatError when a tensor is missing or left
// over.
std::unique_ptr<WeightSource> rename_original_unet(std::unique_ptr<WeightSource> source,
                                                   const std::vector<ParamSpec>& specs,
                                                   AttentionOrder order, int64_t head_width);

}  // namespace ebb
