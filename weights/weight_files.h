#pragma once

#include <string>
#include <vector>

namespace ebb {

// The file or index with the weights of a component's directory.
struct WeightFiles {
  std::string path = {};
  std::string variant = {};             // "fp16", or empty for the plain file
  std::vector<std::string> notes = {};  // why it was chosen, where that is not plain
};

// Finds diffusion_pytorch_model, model or pytorch_model as .safetensors or .bin, whole or as an
// index of shards, under all names that diffusers, transformers and huggingface_hub have given to
// variants and their indices. Without a `variant`: the plain safetensors file, else the one variant
// that is there, else the same as .bin. A whole file comes before an index. UsageError when there
// are several variants and none is asked for; FormatError when there is nothing, naming what was
// looked for and what lies there instead.
WeightFiles find_weight_files(const std::string& directory, const std::string& variant = "");

}  // namespace ebb
