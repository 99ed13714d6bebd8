#pragma once

#include <ostream>
#include <string>

#include "apps/ebb/inspect_reports.h"
#include "weights/weight_source.h"

namespace ebb {

// kind ("torch" or "shards"), bytes, sha256, container (key of the dict with the tensors, or null),
// shards[name], warnings[], tensors[] as inspect_safetensors(). For a file of torch.save() or the
// index of shards. Reads every byte.
InspectReport inspect_weights(const std::string& path, const LoadLimits& limits);

// kind ("config"), bytes, sha256, class, text: the config.json of a network.
InspectReport inspect_config(const std::string& path);

// kind ("directory"), pipeline, components[name, class, directory, config, weights, variant,
// tensors, parameters, bytes, dtypes], warnings[]. For a model as diffusers saves it, or any
// directory with weights. Reads the configs and the headers of the weights.
InspectReport inspect_directory(const std::string& path, const std::string& variant,
                                const LoadLimits& limits);

// The reports of these three for people.
bool is_model_report(const InspectReport& report);
void print_model_report(std::ostream& out, const InspectReport& report);

}  // namespace ebb
