#include "apps/report/plan.h"

#include <algorithm>
#include <array>

#include "apps/report/plan_parts.h"
#include "base/error.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "diffusion/model_history.h"

namespace ebb {
namespace {

struct Training {
  const char* model;
  const char* flags;
};

constexpr std::array kTrainings = {
    Training{"mnist-denoiser", "--model denoiser"},
    Training{"mnist-noise", "--model denoiser --input noise --hidden 16 --epochs 3"},
    Training{"mnist-time", "--model time"},
    Training{"mnist-time-flow", "--model time --objective flow --hidden 16 --epochs 5"},
    Training{"mnist-class", "--model class"},
    Training{"mnist-classifier", "--model classifier"},
    Training{"mnist-class-flow", "--model class --objective flow"},
    Training{"mnist-class-flow-constant",
             "--model class --objective flow --hidden 16 --epochs 2 --lr 0.001 --lr-decay 1"},
};

bool is_pair(const std::string& text) {
  const size_t slash = text.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < text.find(':') &&
         slash + 1 < text.size();
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

std::string training_commands(const std::string& model) {
  const auto* const training =
      std::find_if(kTrainings.begin(), kTrainings.end(),
                   [&](const Training& known) { return model == known.model; });
  if (training == kTrainings.end()) return "train_mnist --help";
  const std::string run = "runs/" + model;
  return cat("train_mnist ", training->flags, " -o ", run, " && ebb convert ", run,
             "/model.safetensors --dtype f16 -o weights/pretrained/", model, ".safetensors");
}

void use_run(const std::string& model, TrainedModels& models) {
  const ModelHistory history = read_model_history(find_model(model));
  const bool flow = history.objective == "flow";
  const bool constant = (history.command + " ").find("--lr-decay 1 ") != std::string::npos ||
                        (history.command + " ").find("--lr-decay 1.0 ") != std::string::npos;
  if (history.objective == "pure_noise") {
    models.noise = model;
  } else if (history.objective == "denoise") {
    models.denoiser = model;
  } else if (history.network == "class" && constant) {
    models.constant_rate = model;
  } else if (history.network == "class" && (flow || history.objective == "ddpm")) {
    (flow ? models.class_flow : models.classes) = model;
  } else if (history.network == "time") {
    (flow ? models.time_flow : models.time) = model;
  } else {
    throw UsageError(cat("--run ", path_label(model), ": was trained as ",
                         terminal_safe(history.objective),
                         ", which no section is about. Give a denoiser, a time or a class model."));
  }
}

void use_prompts(const std::string& text, ReportSettings& settings) {
  const size_t equals = text.find('=');
  const std::string section = text.substr(0, equals);
  const bool pairs = section == "anagrams" || section == "hybrids";
  EBB_CHECK(equals != std::string::npos && (pairs || section == "text-edit"), UsageError,
            "--prompts ", terminal_safe(text),
            ": expected text-edit=PROMPT,... or anagrams=A/B,A/B:flip,... or hybrids=FAR/NEAR,...");
  const std::vector<std::string> prompts = split_at_commas(text.substr(equals + 1));
  for (const std::string& prompt : prompts) {
    EBB_CHECK(pairs ? is_pair(prompt) : !prompt.empty(), UsageError, "--prompts ",
              terminal_safe(text), ": ", quoted(terminal_safe(prompt)), " must be ",
              pairs ? "two prompts such as 6/9" : "a prompt", ". Separate them with commas.");
  }
  settings.prompts[section] = prompts;
}

std::vector<Part> report_plan(const ReportSettings& settings) {
  if (is_pretrained(settings)) return pretrained_parts(settings);
  return {images_part(settings), applications_part(settings), training_part(settings)};
}

}  // namespace ebb
