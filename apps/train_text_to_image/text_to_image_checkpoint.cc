#include "apps/train_text_to_image/text_to_image_checkpoint.h"

#include "apps/training/run_directory.h"
#include "apps/training/training_state.h"
#include "base/error.h"
#include "base/json.h"

namespace ebb {
namespace {

constexpr const char* kProgram = "train_text_to_image";

// FormatError for the checkpoint of another program.
void check_program(const SafetensorsFile& file) {
  const std::string program = checkpoint_value(file, "ebb.program");
  EBB_CHECK(program == kProgram, FormatError, file.label(), ": is a checkpoint of ", program,
            ", expected one of ", kProgram);
}

TextToImageConfig stored_config(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  check_program(file);
  return parse_text_to_image_config(checkpoint_value(file, "ebb.config"), file.label());
}

}  // namespace

void save_text_to_image_checkpoint(const std::string& path, const autograd::Trainer& trainer,
                                   const TextToImageConfig& config, const RunInputs& inputs,
                                   int64_t step) {
  const Json progress{{"step", step}, {"updates", trainer.updates()}};
  save_training_state(path, trainer.params(),
                      {{"ebb.program", kProgram},
                       {"ebb.model", trainer.network().config},
                       {"ebb.config", to_json(config)},
                       {"ebb.dataset", inputs.data},
                       {"ebb.text", inputs.text},
                       {"ebb.progress", progress.dump_sorted()}});
}

int64_t load_text_to_image_checkpoint(const std::string& path, autograd::Trainer& trainer,
                                      const TextToImageConfig& config, const RunInputs& inputs) {
  const SafetensorsFile file = open_checkpoint(path);
  check_program(file);
  const std::string difference =
      describe_config_difference(to_json(config), checkpoint_value(file, "ebb.config"));
  EBB_CHECK(difference.empty(), FormatError, file.label(), ": belongs to another run: ", difference,
            ". Leave that flag out");
  EBB_CHECK(checkpoint_value(file, "ebb.dataset") == inputs.data, FormatError, file.label(),
            ": was trained on other images or captions. Give the same --data");
  EBB_CHECK(checkpoint_value(file, "ebb.text") == inputs.text, FormatError, file.label(),
            ": was trained on other text states. Give the same --embeddings");
  load_training_state(file, trainer.params());
  try {
    const Json progress = Json::parse(checkpoint_value(file, "ebb.progress"));
    trainer.set_updates(progress.at("updates").get<int64_t>());
    return progress.at("step").get<int64_t>();
  } catch (const Json::exception& error) {
    throw FormatError(
        cat(file.label(), ": metadata key \"ebb.progress\" is damaged: ", error.what()));
  }
}

std::optional<TextToImageConfig> find_text_to_image_run(const std::string& resume,
                                                        const std::string& output) {
  if (resume.empty()) return std::nullopt;
  if (resume != "auto") return stored_config(resume);
  for (const CheckpointFile& checkpoint : checkpoints_in(output)) {
    if (is_checkpoint(checkpoint.path)) return stored_config(checkpoint.path);
  }
  return std::nullopt;
}

}  // namespace ebb
