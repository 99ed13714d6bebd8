#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ebb {

// A part of a pipeline: a network, a scheduler, a tokenizer.
struct DiffusersComponent {
  std::string name = {};         // "unet"
  std::string library = {};      // "diffusers"; empty where no model_index.json says
  std::string class_name = {};   // "UNet2DModel"; empty where nothing says
  std::string directory = {};    // of its files; empty when they are not there
  std::string config_path = {};  // empty when it has none

  bool is_present() const { return !directory.empty(); }
};

// A model as diffusers saves it: model_index.json with a directory for each component, or all
// files side by side (google/ddpm-*), or a component's directory by itself. Only names and configs
// are read, not the weights: find_weight_files(component.directory) finds those.
struct DiffusersDirectory {
  std::string path;            // the snapshot, for a repository of a Hugging Face cache
  std::string pipeline_class;  // "IFPipeline"; empty without model_index.json
  std::vector<DiffusersComponent> components;

  const DiffusersComponent* find(std::string_view name) const;  // null: not part of the model
  // FormatError that names what is missing and where it was looked for.
  const DiffusersComponent& require(std::string_view name) const;
};

// FormatError when the directory holds no such model, IoError when it cannot be read. `path` may be
// a repository in a Hugging Face cache, "models--owner--name".
DiffusersDirectory read_diffusers_directory(const std::string& path);

// A file of the model index or of a component's config is there.
bool is_diffusers_directory(const std::string& path);

}  // namespace ebb
