#include "apps/ebb/inspect_models.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iomanip>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "nn/unet_config.h"
#include "weights/diffusers_directory.h"
#include "weights/digest.h"
#include "weights/json_file.h"
#include "weights/open_weights.h"
#include "weights/sharded_source.h"
#include "weights/torch_source.h"
#include "weights/weight_files.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kWithWeights = {"unet", "text_encoder"};
constexpr std::array<std::string_view, 4> kUsed = {"unet", "scheduler", "image_noising_scheduler",
                                                   "text_encoder"};

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

uint64_t elements_of(const TensorInfo& tensor) {
  uint64_t elements = 1;
  for (const uint64_t dim : tensor.shape) elements *= dim;
  return elements;
}

uint64_t bytes_of(const TensorInfo& tensor) {
  return elements_of(tensor) * static_cast<uint64_t>(bits_of(tensor.dtype)) / 8;
}

InspectReport inspect_tensor(WeightSource& source, const TensorInfo& tensor) {
  Sha256 sha;
  const NonFinite found = source.stream(tensor.name, [&](std::span<const std::byte> piece) {
    sha.update(piece.data(), piece.size());
  });
  return {{"name", tensor.name},       {"dtype", to_string(tensor.dtype)}, {"shape", tensor.shape},
          {"bytes", bytes_of(tensor)}, {"sha256", sha.finish()},           {"nan", found.nan},
          {"infinite", found.infinite}};
}

std::string sizes_text(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += cat(text.empty() ? "" : ", ", size);
  return text;
}

// "4 levels of 128, 256, 256, 256 channels, 3 in, 3 out, for 32 x 32".
std::string describe(const UNetConfig& any) {
  return std::visit(
      [](const UNetConfigBase& config) {
        std::string text =
            cat(config.levels(), " levels of ", sizes_text(config.block_out_channels),
                " channels, ", config.in_channels, " in, ", config.out_channels, " out");
        if (config.sample_size) {
          text += cat(", for ", (*config.sample_size)[0], " x ", (*config.sample_size)[1]);
        }
        return text;
      },
      any);
}

// Adds the weights that would be loaded for a component.
void add_weights(InspectReport& entry, InspectReport& warnings, const std::string& directory,
                 const std::string& variant, const LoadLimits& limits) {
  const WeightFiles files = find_weight_files(directory, variant);
  const std::unique_ptr<WeightSource> source = open_weights(files.path, limits);
  std::map<std::string, uint64_t> dtypes;
  uint64_t parameters = 0, bytes = 0;
  for (const TensorInfo& tensor : source->tensors()) {
    ++dtypes[to_string(tensor.dtype)];
    parameters += elements_of(tensor);
    bytes += bytes_of(tensor);
  }
  entry["weights"] = files.path;
  entry["variant"] = files.variant;
  entry["tensors"] = source->tensors().size();
  entry["parameters"] = parameters;
  entry["bytes"] = bytes;
  entry["dtypes"] = InspectReport::object();
  for (const auto& [dtype, count] : dtypes) entry["dtypes"][dtype] = count;
  for (const std::string& note : files.notes) warnings.push_back(note);
  for (const std::string& warning : source->warnings()) warnings.push_back(warning);
}

InspectReport inspect_component(const DiffusersComponent& component, InspectReport& warnings,
                                const std::string& variant, const LoadLimits& limits) {
  InspectReport entry = {{"name", component.name},
                         {"class", component.class_name},
                         {"directory", component.directory},
                         {"config", component.config_path},
                         {"used", contains(kUsed, component.name)}};
  if (!component.is_present() || !contains(kWithWeights, component.name)) return entry;
  if (component.name == "unet") {
    const Json config = read_json_file(component.config_path);
    entry["text"] = describe(
        parse_unet_config(config, path_label(component.config_path), component.class_name));
  }
  add_weights(entry, warnings, component.directory, variant, limits);
  return entry;
}

void print_weights_of(std::ostream& out, const InspectReport& entry, const std::string& root) {
  const auto path = entry["weights"].get<std::string>();
  out << "    " << path_label(fs::path(path).lexically_relative(root).string()) << ": "
      << entry["tensors"] << " tensors, " << entry["parameters"] << " numbers, "
      << format_bytes(entry["bytes"].get<uint64_t>());
  for (const auto& [dtype, count] : entry["dtypes"].items()) out << ", " << count << " " << dtype;
  const auto variant = entry["variant"].get<std::string>();
  if (!variant.empty()) out << ", variant " << terminal_safe(variant);
  out << '\n';
}

void print_directory(std::ostream& out, const InspectReport& report) {
  const auto pipeline = report["pipeline"].get<std::string>();
  const auto root = report["path"].get<std::string>();
  out << path_label(report["file"].get<std::string>()) << ": "
      << (pipeline.empty() ? "a directory with weights" : terminal_safe(pipeline)) << '\n';
  for (const auto& entry : report["components"]) {
    out << "  " << std::left << std::setw(16) << terminal_safe(entry["name"].get<std::string>())
        << terminal_safe(entry["class"].get<std::string>());
    if (!entry["used"].get<bool>()) {
      out << ", not used";
    } else if (entry["directory"].get<std::string>().empty()) {
      out << ", not there";
    }
    if (entry.contains("text")) out << ", " << entry["text"].get<std::string>();
    out << '\n';
    if (entry.contains("weights")) print_weights_of(out, entry, root);
  }
}

}  // namespace

InspectReport inspect_weights(const std::string& path, const LoadLimits& limits) {
  const FileReader file(path);
  InspectReport report = {{"file", path}, {"kind", "torch"}, {"bytes", file.size()}};
  std::unique_ptr<WeightSource> source;
  InspectReport container = nullptr, shards = InspectReport::array();
  if (is_shard_index(path)) {
    auto sharded = std::make_unique<ShardedSource>(FileReader(path), limits);
    report["kind"] = "shards";
    shards = InspectReport(sharded->shards());
    source = std::move(sharded);
  } else {
    auto torch = std::make_unique<TorchSource>(FileReader(path), limits);
    if (!torch->container().empty()) container = torch->container();
    source = std::move(torch);
  }
  InspectReport tensors = InspectReport::array();
  for (const TensorInfo& tensor : source->tensors()) {
    tensors.push_back(inspect_tensor(*source, tensor));
  }
  report["sha256"] = source->finish();
  report["container"] = container;
  report["shards"] = shards;
  report["warnings"] = InspectReport(source->warnings());
  report["tensors"] = std::move(tensors);
  return report;
}

InspectReport inspect_config(const std::string& path) {
  const FileReader file(path);
  const Json json = read_json_file(path);
  const UNetConfig config = parse_unet_config(json, file.label());
  const bool is_2d = std::holds_alternative<UNet2DConfig>(config);
  return {{"file", path},
          {"kind", "config"},
          {"bytes", file.size()},
          {"sha256", sha256_hex(file)},
          {"class", is_2d ? kUNet2DClass : kUNet2DConditionClass},
          {"text", describe(config)}};
}

InspectReport inspect_directory(const std::string& path, const std::string& variant,
                                const LoadLimits& limits) {
  InspectReport warnings = InspectReport::array(), components = InspectReport::array();
  InspectReport report = {{"file", path}, {"kind", "directory"}, {"path", path}, {"pipeline", ""}};
  if (is_diffusers_directory(path)) {
    const DiffusersDirectory model = read_diffusers_directory(path);
    report["path"] = model.path;
    report["pipeline"] = model.pipeline_class;
    for (const DiffusersComponent& component : model.components) {
      if (component.name == "unet" && component.is_present()) model.require(component.name);
      components.push_back(inspect_component(component, warnings, variant, limits));
    }
  } else {
    InspectReport entry = {
        {"name", "weights"}, {"class", ""}, {"directory", path}, {"config", ""}, {"used", true}};
    add_weights(entry, warnings, path, variant, limits);
    components.push_back(std::move(entry));
  }
  report["components"] = std::move(components);
  report["warnings"] = std::move(warnings);
  return report;
}

bool is_model_report(const InspectReport& report) {
  constexpr std::array<const char*, 4> kKinds = {"torch", "shards", "config", "directory"};
  return std::any_of(kKinds.begin(), kKinds.end(),
                     [&](const char* kind) { return report["kind"] == kind; });
}

void print_model_report(std::ostream& out, const InspectReport& report) {
  if (report["kind"] == "directory") return print_directory(out, report);
  if (report["kind"] == "config") {
    print_heading(out, report, report["class"].get<std::string>());
    out << "  " << report["text"].get<std::string>() << '\n';
    return;
  }
  std::string what = cat(report["kind"] == "torch" ? "PyTorch weights, " : "index of shards, ",
                         report["tensors"].size(), " tensors");
  if (!report["container"].is_null()) {
    what += cat(" under ", quoted(report["container"].get<std::string>()));
  }
  print_heading(out, report, what);
  for (const auto& shard : report["shards"]) {
    out << "  shard " << terminal_safe(shard.get<std::string>()) << '\n';
  }
  print_tensors(out, report["tensors"]);
}

}  // namespace ebb
