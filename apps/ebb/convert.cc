#include "apps/ebb/convert.h"

#include <iostream>
#include <memory>

#include "apps/cli/cli.h"
#include "base/output_file.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/model_file.h"
#include "engine/backend.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct ConvertFlags {
  std::string model, output, dtype = "f16";
  std::vector<std::string> meta;
  bool force = false;
};

// What the writer makes anew for every file.
bool is_generated(const std::string& key) { return key == kDigestKey || key == kDigestScopeKey; }

void convert(const ConvertFlags& flags) {
  EBB_CHECK(!is_output_stream(flags.output), UsageError, "-o ", path_label(flags.output),
            ": a model is written to a file, which this is not. Name a file.");
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  const auto context = make_context("cpu", 1);
  const LoadedModel model = load_model(*context, flags.model);
  for (const std::string& warning : model.warnings) std::cerr << "warning: " << warning << '\n';
  std::map<std::string, std::string> metadata;
  for (const std::string& entry : flags.meta) {
    const size_t equals = entry.find('=');
    EBB_CHECK(equals != std::string::npos && equals > 0, UsageError, "--meta ", entry,
              ": expected key=value");
    metadata["ebb." + entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  for (const auto& [key, value] : model.metadata) {
    if (!is_generated(key)) metadata.emplace(key, value);
  }
  save_model(flags.output, model.network, model.objective, model.params, metadata,
             flags.dtype == "f16" ? DType::kF16 : DType::kF32);
  std::cout << flags.output << '\n';
}

}  // namespace

void add_convert_command(Command program) {
  Command command =
      program.add_subcommand("convert", "write a model file with another storage type");
  auto flags = std::make_shared<ConvertFlags>();
  command.add_option("model", flags->model, "model file").required();
  command.add_option("-o,--output", flags->output, "file to write").required();
  add_choice(command, "--dtype", flags->dtype, {"f32", "f16"},
             "storage of the weights; vectors stay f32");
  command.add_option("--meta", flags->meta, "key=value to store as ebb.key; may be repeated");
  command.add_flag("--force", flags->force, "replace an existing file");
  command.callback([flags] { convert(*flags); });
}

}  // namespace ebb
