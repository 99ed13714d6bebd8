#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/objective.h"
#include "diffusion/sampling_config.h"
#include "engine/tensor.h"
#include "nn/network.h"
#include "weights/weight_source.h"

namespace ebb {

// A trained network and what belongs to it.
struct Model {
  std::string path = {};    // empty: not from a file
  std::string sha256 = {};  // of the file
  Network network = {};
  Objective objective = {};
  SamplingConfig sampling = {};
  // The noise that smaller images get, in a model that enlarges them.
  std::optional<Objective> low_res_noise = {};
  TensorMap params = {};  // the engine's layout, in the type in which they are stored
  std::map<std::string, std::string> metadata = {};
  std::vector<std::string> warnings = {};  // about the files and values that are not finite

  // A model file, a checkpoint or the directory of a run, a directory as diffusers saves it, or the
  // pretrained model of this name, as find_model() finds it; prefixes of PyTorch's wrappers are
  // taken off (stored_model.h). FormatError when the file is damaged, is no model of ebb or its
  // parts do not fit each other; IoError when it cannot be read.
  // `variant` names the files of a directory of diffusers ("fp16"); empty: find_weight_files()
  // chooses. UsageError for one that is no such directory.
  static Model load(Context& context, const std::string& name_or_path,
                    const std::string& variant = {});
  // From weights whose metadata describe network and objective (weights/README.md). Reads the
  // source to its end.
  static Model load(Context& context, WeightSource& source);
};

// Model::sha256 of the model at this path, which find_model() returned, without loading it.
std::string model_sha256(const std::string& path, const std::string& variant = {});

}  // namespace ebb
