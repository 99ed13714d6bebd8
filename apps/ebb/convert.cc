#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <ostream>

#include "apps/cli/cli.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
#include "base/output_file.h"
#include "base/stream.h"
#include "base/text.h"
#include "base/utf8.h"
#include "diffusion/model.h"
#include "diffusion/model_file.h"
#include "engine/backend.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct ConvertFlags {
  std::string model, variant, output, dtype = "f16";
  std::vector<std::string> meta;
  bool force = false;
};

// Metadata that the writer generates for every file.
bool is_generated(const std::string& key) { return key == kDigestKey || key == kDigestScopeKey; }

// Keys that ebb itself reads and writes; --meta is for notes.
bool is_reserved(const std::string& key) {
  constexpr std::array kReserved = {"format", "model",    "objective", "kind",
                                    "config", "progress", "training"};
  return is_generated("ebb." + key) ||
         std::find(kReserved.begin(), kReserved.end(), key) != kReserved.end();
}

// --meta key=value as the entries of a file's metadata.
std::map<std::string, std::string> parse_meta(const std::vector<std::string>& entries) {
  std::map<std::string, std::string> metadata;
  for (const std::string& entry : entries) {
    const std::string flag = "--meta " + terminal_safe(entry);
    const size_t equals = entry.find('=');
    EBB_CHECK(equals != std::string::npos && equals > 0, UsageError, flag, ": expected key=value");
    EBB_CHECK(is_utf8(entry), UsageError, flag, ": is not UTF-8. Write it in UTF-8.");
    const std::string key = entry.substr(0, equals);
    EBB_CHECK(!is_reserved(key), UsageError, flag, ": ebb.", key,
              " is written by ebb itself. Use another key.");
    const bool is_new = metadata.emplace("ebb." + key, entry.substr(equals + 1)).second;
    EBB_CHECK(is_new, UsageError, flag, ": the key is given twice. Leave one out.");
  }
  return metadata;
}

void convert(const ConvertFlags& flags, const Invocation& invocation) {
  EBB_CHECK(!is_output_stream(flags.output), UsageError, "-o ", path_label(flags.output),
            ": a model is written to a file, which this is not. Name a file.");
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  std::map<std::string, std::string> metadata = parse_meta(flags.meta);
  const auto context = make_context("cpu", 1);
  const Model model = Model::load(*context, flags.model, flags.variant);
  for (const std::string& warning : model.warnings)
    invocation.err << "warning: " << warning << '\n';
  for (const auto& [key, value] : model.metadata) {
    if (!is_generated(key)) metadata.emplace(key, value);
  }
  save_model(flags.output, model.network, model.objective, model.params, metadata,
             flags.dtype == "f16" ? DType::kF16 : DType::kF32);
  invocation.out << path_label(flags.output) << '\n';
}

}  // namespace

// `ebb convert MODEL -o FILE [--dtype f32|f16] [--meta key=value]`: rewrites a model with
// another storage type, keeping its metadata.
void add_convert(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<ConvertFlags>();
  command.add_option("model", flags->model, "Model file, or the name of a pretrained model")
      .required()
      .takes(FlagValue::kModel);
  add_variant_flag(command, flags->variant);
  command.add_option("-o,--output", flags->output, "Output file")
      .required()
      .takes(FlagValue::kWeights)
      .group(kOutputGroup);
  add_choice(command, "--dtype", flags->dtype, {"f32", "f16"},
             "Storage type of the weights; vectors such as biases stay f32");
  command.add_option("--meta", flags->meta,
                     "Metadata entry key=value, stored as ebb.key; repeatable");
  command.add_flag("--force", flags->force, "Overwrite an existing file").group(kOutputGroup);
  command.callback([flags, &invocation] { convert(*flags, invocation); });
}

}  // namespace ebb
