#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <ostream>
#include <sstream>

#include "apps/cli/cli.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/convert_original.h"
#include "apps/ebb/sample_flags.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/stream.h"
#include "base/text.h"
#include "base/utf8.h"
#include "diffusion/model.h"
#include "diffusion/model_file.h"
#include "diffusion/original_unet.h"
#include "diffusion/state_dict_model.h"
#include "engine/backend.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct ConvertFlags {
  std::string model, variant, output, dtype = "f16";
  std::string as, objective, map, order = "skip-first", attention_order;
  int64_t hidden = 0;
  std::vector<std::string> meta;
  bool force = false, dtype_given = false;
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

// Lines "module of the file  module of the network" of --map.
std::map<std::string, std::string> read_map(const std::string& path) {
  std::map<std::string, std::string> modules;
  if (path.empty()) return modules;
  constexpr uint64_t kMaxMapBytes = uint64_t{1} << 20;
  const std::vector<std::byte> bytes = read_file(path, kMaxMapBytes);
  std::istringstream lines(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string from, to, more;
    if (!(words >> from) || from[0] == '#') continue;
    EBB_CHECK((words >> to) && !(words >> more), UsageError, "--map ", path_label(path), ": line ",
              number, ": expected the names of two modules, of the file and of the network");
    EBB_CHECK(modules.emplace(from, to).second, UsageError, "--map ", path_label(path), ": line ",
              number, ": ", quoted(from), " is there twice. Leave one out.");
  }
  return modules;
}

Model load(Context& context, const ConvertFlags& flags, std::ostream& out) {
  if (flags.as.empty()) {
    refuse_flag("--hidden", flags.hidden != 0, "without --as");
    refuse_flag("--objective", !flags.objective.empty(), "without --as");
    refuse_flag("--map", !flags.map.empty(), "without --as");
    refuse_flag("--order", flags.order != "skip-first", "without --as");
    return Model::load(context, flags.model, flags.variant);
  }
  refuse_flag("--variant", !flags.variant.empty(), "with --as");
  StateDictModel loaded = load_state_dict(context, flags.model,
                                          {.network = flags.as,
                                           .hidden = flags.hidden,
                                           .objective = flags.objective,
                                           .decoder_first = flags.order == "decoder-first",
                                           .modules = read_map(flags.map)});
  for (const std::string& note : loaded.notes) out << note << '\n';
  return std::move(loaded.model);
}

// Flags of a student's network and of a type, which a directory of diffusers does not take.
void refuse_flags_of_files(const ConvertFlags& flags) {
  const std::string why = "with --as " + flags.as;
  refuse_flag("--variant", !flags.variant.empty(), why);
  refuse_flag("--dtype", flags.dtype_given, why);
  refuse_flag("--meta", !flags.meta.empty(), why);
  refuse_flag("--hidden", flags.hidden != 0, why);
  refuse_flag("--objective", !flags.objective.empty(), why);
  refuse_flag("--map", !flags.map.empty(), why);
  refuse_flag("--order", flags.order != "skip-first", why);
}

void convert(const ConvertFlags& flags, const Invocation& invocation) {
  if (is_original_unet(flags.as)) {
    refuse_flags_of_files(flags);
    convert_original({.model = flags.model,
                      .as = flags.as,
                      .attention_order = flags.attention_order,
                      .output = flags.output,
                      .force = flags.force},
                     invocation.out);
    return;
  }
  refuse_flag("--attention-order", !flags.attention_order.empty(),
              "without --as guided-diffusion-64 or guided-diffusion-256");
  EBB_CHECK(!is_output_stream(flags.output), UsageError, "-o ", path_label(flags.output),
            ": a model is written to a file, which this is not. Name a file.");
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  std::map<std::string, std::string> metadata = parse_meta(flags.meta);
  const auto context = make_context("cpu", 1);
  const Model model = load(*context, flags, invocation.out);
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
// another storage type, keeping its metadata; with --as, a PyTorch state_dict of the assignment's
// networks as a model.
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
  const Flag dtype = add_choice(command, "--dtype", flags->dtype, {"f32", "f16"},
                                "Storage type of the weights; vectors such as biases stay f32");
  std::vector<std::string> networks(std::begin(kStateDictNetworks), std::end(kStateDictNetworks));
  networks.insert(networks.end(), std::begin(kOriginalUnets), std::end(kOriginalUnets));
  add_choice(command, "--as", flags->as, networks,
             "Network whose PyTorch state_dict the file is: the assignment's under whatever names, "
             "or others under their authors'");
  add_choice(command, "--attention-order", flags->attention_order, {"new", "old"},
             "With --as guided-diffusion-*: order of the rows of queries, keys and values");
  add_integer(command, "--hidden", flags->hidden, 1, 4096,
              "With --as: its D (the width of the first convolution)");
  add_choice(command, "--objective", flags->objective, {"ddpm", "flow"},
             "With --as: what it was trained for (ddpm)");
  add_choice(command, "--order", flags->order, {"skip-first", "decoder-first"},
             "With --as: order of the concatenations' halves");
  command
      .add_option("--map", flags->map,
                  "With --as: file of lines \"module of the file, module of the network\", for "
                  "what is matched wrong")
      .takes(FlagValue::kFile);
  command.add_option("--meta", flags->meta,
                     "Metadata entry key=value, stored as ebb.key; repeatable");
  command.add_flag("--force", flags->force, "Overwrite an existing file").group(kOutputGroup);
  command.callback([flags, dtype, &invocation] {
    flags->dtype_given = dtype.given();
    convert(*flags, invocation);
  });
}

}  // namespace ebb
