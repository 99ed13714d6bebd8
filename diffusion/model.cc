#include "diffusion/model.h"

#include "base/file.h"
#include "base/text.h"
#include "diffusion/bind_params.h"
#include "diffusion/diffusers_model.h"
#include "diffusion/find_model.h"
#include "diffusion/memory_needs.h"
#include "diffusion/model_file.h"
#include "diffusion/stored_model.h"
#include "weights/diffusers_directory.h"
#include "weights/digest.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

using Metadata = std::map<std::string, std::string>;

const std::string& required(const WeightSource& source, const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  EBB_CHECK(found != metadata.end(), FormatError, source.label(), ": no \"", key,
            "\" in its metadata, so it is not a model file of ebb. A network of the assignment "
            "becomes one by: ebb convert ",
            source.label(),
            " -o model.safetensors --as mnist-class (or mnist-time, "
            "mnist-denoiser). For others weights/README.md says how.");
  return found->second;
}

void check_format_version(const WeightSource& source, const Metadata& metadata) {
  const std::string& version = required(source, metadata, kFormatKey);
  EBB_CHECK(version == kFormatVersion, FormatError, source.label(), ": model format ",
            quoted(version), ", this program reads \"", kFormatVersion,
            "\". Use a newer version of ebb.");
}

void check_inputs(const Model& model, const std::string& label) {
  const bool timed = model.network.input(InputRole::kTime) != nullptr;
  EBB_CHECK(timed == takes_time(model.objective), FormatError, label, ": the objective ",
            to_string(model.objective.type), " goes with a network that takes ",
            timed ? "no time" : "the time", ", but this one takes ", timed ? "it" : "none",
            ". Correct \"ebb.objective\" or \"ebb.model\" in the file's metadata.");
  const Shape output = output_shape(model.network);
  const bool classifies = model.objective.type == ObjectiveType::kClassify;
  EBB_CHECK(classifies == (output.rank() == 1), FormatError, label, ": the objective ",
            to_string(model.objective.type), " goes with a network whose output is ",
            classifies ? "one number per class" : "an image", ", but this one's output is ", output,
            ". Correct \"ebb.objective\" or \"ebb.model\" in the file's metadata.");
}

StoredModel interpret(const WeightSource& source) {
  std::vector<std::string> names;
  for (const TensorInfo& tensor : source.tensors()) names.push_back(tensor.name);
  return stored_model(source.metadata(), names, source.label());
}

// Reads the metadata of ebb's own model files and checkpoints.
void read_config(const WeightSource& source, Model& model) {
  check_format_version(source, model.metadata);
  const std::string& config = required(source, model.metadata, kModelKey);
  const std::string& objective = required(source, model.metadata, kObjectiveKey);
  model.network = make_network(config, source.label());
  model.objective = parse_objective(objective, source.label());
  check_inputs(model, source.label());
}

void check_no_variant(const std::string& path, const std::string& variant) {
  EBB_CHECK(variant.empty(), UsageError, "--variant ", terminal_safe(variant), ": ",
            path_label(path),
            " is no directory of diffusers, whose weights have variants. Leave it out.");
}

}  // namespace

Model Model::load(Context& context, WeightSource& source) {
  Model model;
  model.path = source.path();
  try {
    StoredModel stored = interpret(source);
    model.metadata = std::move(stored.metadata);
    read_config(source, model);
    BoundParams bound = bind_params(
        context, list_params(model.network), source, stored.parameter,
        [&](const auto& types) { check_memory(context, model.network, types, source.label()); });
    model.params = std::move(bound.params);
    model.warnings = source.warnings();
    model.warnings.insert(model.warnings.end(), bound.warnings.begin(), bound.warnings.end());
  } catch (const FormatError&) {
    // Report damaged bytes first.
    if (source.metadata().contains(kDigestKey)) source.finish();
    throw;
  }
  model.sha256 = source.finish();
  return model;
}

Model Model::load(Context& context, const std::string& name_or_path, const std::string& variant) {
  const std::string path = find_model(name_or_path);
  if (is_diffusers_directory(path)) return load_diffusers_model(context, path, variant);
  check_no_variant(path, variant);
  return load(context, *open_weights(path));
}

std::string model_sha256(const std::string& path, const std::string& variant) {
  if (is_diffusers_directory(path)) return diffusers_model_sha256(path, variant);
  return sha256_hex(FileReader(path));
}

}  // namespace ebb
