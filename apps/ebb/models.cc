#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <memory>
#include <optional>
#include <ostream>

#include "apps/ebb/commands.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/find_model.h"
#include "diffusion/objective.h"
#include "diffusion/stored_model.h"
#include "nn/network.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct Flags {
  bool names = false;
  bool json = false;
};

// Facts from the header of a model file.
struct Facts {
  NamedModel model;
  std::string error;  // of a file that is no model, or is damaged
  std::string kind;   // "ddpm"
  Shape image;        // [H, W, C]
  int64_t classes = 0;
  std::string dtype;  // that of most bytes
  uint64_t bytes = 0;
};

std::string main_dtype(const SafetensorsFile& file) {
  std::map<std::string, uint64_t> bytes;
  for (const TensorEntry& entry : file.entries()) bytes[to_string(entry.dtype)] += entry.bytes();
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "" : most->first;
}

std::string value_of(const std::map<std::string, std::string>& metadata, const char* key,
                     const std::string& label) {
  const auto found = metadata.find(key);
  EBB_CHECK(found != metadata.end(), FormatError, label, ": no \"", key, "\" in its metadata");
  return found->second;
}

Facts facts_of(const NamedModel& model) {
  Facts facts;
  facts.model = model;
  try {
    const SafetensorsFile file = SafetensorsFile::open(model.path);
    facts.bytes = file.file().size();
    facts.dtype = main_dtype(file);
    std::vector<std::string> tensors;
    for (const TensorEntry& entry : file.entries()) tensors.push_back(entry.name);
    const auto metadata = stored_model(file.metadata(), tensors, file.label()).metadata;
    const Network network =
        make_network(value_of(metadata, "ebb.model", file.label()), file.label());
    facts.image = network.sample().shape;
    facts.classes = class_count(network);
    facts.kind = to_string(
        parse_objective(value_of(metadata, "ebb.objective", file.label()), file.label()).type);
  } catch (const Error& error) {
    facts.error = error.what();
  }
  return facts;
}

std::string size_text(uint64_t bytes) {
  constexpr double kMebi = 1 << 20;
  return cat(std::round(10 * static_cast<double>(bytes) / kMebi) / 10, " MiB");
}

void print_table(std::ostream& out, const std::vector<Facts>& models) {
  size_t width = std::string("name").size();
  for (const Facts& facts : models) width = std::max(width, facts.model.name.size());
  const auto row = [&out, width](const std::string& name, const std::string& kind,
                                 const std::string& image, const std::string& classes,
                                 const std::string& dtype, const std::string& size,
                                 const std::string& place) {
    out << std::left << std::setw(static_cast<int>(width)) << name << "  " << std::setw(10) << kind
        << std::setw(13) << image << std::right << std::setw(7) << classes << "  " << std::left
        << std::setw(6) << dtype << std::right << std::setw(9) << size << "  " << place << '\n';
  };
  row("name", "kind", "image", "classes", "type", "size", "file");
  for (const Facts& facts : models) {
    const std::string name = terminal_safe(facts.model.name), place = path_label(facts.model.path);
    if (!facts.error.empty()) {
      out << std::left << std::setw(static_cast<int>(width)) << name
          << "  unusable: " << safe_message(facts.error) << '\n';
      continue;
    }
    row(name, facts.kind, cat(facts.image[1], " x ", facts.image[0], " x ", facts.image[2]),
        facts.classes > 0 ? std::to_string(facts.classes) : "-", facts.dtype,
        size_text(facts.bytes), place);
  }
}

void print_json(std::ostream& out, const std::vector<Facts>& models) {
  Json list = Json::array();
  for (const Facts& facts : models) {
    Json entry{{"name", facts.model.name}, {"file", facts.model.path}};
    if (!facts.error.empty()) {
      entry["error"] = facts.error;
    } else {
      entry["kind"] = facts.kind;
      entry["height"] = facts.image[0];
      entry["width"] = facts.image[1];
      entry["channels"] = facts.image[2];
      entry["classes"] = facts.classes;
      entry["dtype"] = facts.dtype;
      entry["bytes"] = facts.bytes;
    }
    list.push_back(std::move(entry));
  }
  out << Json{{"models", list}}.dump(2, ' ', true, Json::error_handler_t::replace) << '\n';
}

void run(const Flags& flags, const Invocation& invocation) {
  if (flags.names) {
    for (const NamedModel& model : named_models()) {
      invocation.out << terminal_safe(model.name) << '\n';
    }
    return;
  }
  std::vector<Facts> models;
  for (const NamedModel& model : named_models()) models.push_back(facts_of(model));
  EBB_CHECK(flags.json || !models.empty(), IoError, "ebb models: no model file in ", model_places(),
            ". Set EBB_MODELS to the directory of the models.");
  flags.json ? print_json(invocation.out, models) : print_table(invocation.out, models);
}

}  // namespace

// `ebb models`: the models that --model finds by their names, from the headers of their files.
void add_models(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  Flag json = command.add_flag("--json", flags->json, "Print one JSON object instead of a table")
                  .group(kOutputGroup);
  command.add_flag("--names", flags->names, "Print names only, one a line").excludes(json);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
