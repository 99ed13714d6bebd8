// The files of a run other than log and checkpoints, and what --json says of all.
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "apps/cli/build_id.h"
#include "apps/cli/loss_series.h"
#include "apps/train_mnist/final_model.h"
#include "apps/train_mnist/run_data.h"
#include "apps/train_mnist/run_text.h"
#include "apps/train_mnist/train_run.h"
#include "base/output_file.h"
#include "base/text.h"
#include "diffusion/train_log.h"
#include "image/plot_image.h"
#include "image/png.h"

namespace ebb {

std::string TrainRun::samples_file(int64_t epoch) const {
  std::ostringstream name;
  name << "samples-epoch-" << std::setw(3) << std::setfill('0') << epoch << ".png";
  return directory_.file(name.str());
}

std::string TrainRun::last_samples_file() const {
  std::ostringstream name;
  name << "samples-step-" << std::setw(8) << std::setfill('0') << total_steps_ << ".png";
  return directory_.file(name.str());
}

void TrainRun::write_loss_curve() const {
  const LossPlot plot{.title = command_line(options_.config, options_.settings.preset),
                      .series = loss_series(read_train_log(directory_.file(kTrainLogName)), "")};
  write_png(directory_.file("loss.png"), draw_loss_plot(plot), {}, Overwrite::kReplace);
}

void TrainRun::write_model() {
  const std::string path = directory_.file("model.safetensors");
  write_final_model(path, trainer_, options_.config, options_.settings.preset, progress_,
                    batches_.steps_per_epoch(), read_train_log(directory_.file(kTrainLogName)));
  results_.text() << path_label(path) << std::endl;
  if (talks()) std::cerr << "next: " << next_command(options_) << std::endl;
}

// docs/terminal.md describes the object.
void TrainRun::print_results() {
  if (!options_.json) return;
  const std::vector<LogEntry> log = read_train_log(directory_.file(kTrainLogName));
  results_.set("command", command_line(options_.config, options_.settings.preset));
  results_.set("version", program_version());
  results_.set("build", build_commit());
  results_.set("model", to_string(options_.config.model));
  results_.set("seed", options_.config.seed);
  results_.set("device", to_string(context_.device()));
  results_.set("dtype", to_string(context_.precision()));
  results_.set("steps", progress_.step);
  results_.set("first_step", first_step_);
  results_.set("loss", log.empty() ? Json() : Json(log.back().loss));
  results_.set("epoch_losses", progress_.epoch_losses);
  if (measures_accuracy()) results_.set("test_accuracies", progress_.test_accuracies);
  if (validation_) results_.set("validation_losses", progress_.validation_losses);
  results_.add_file(directory_.file("model.safetensors"), "model");
  results_.add_file(directory_.file(kTrainLogName), "log");
  results_.add_file(directory_.file("loss.png"), "plot");
  for (const CheckpointFile& checkpoint : directory_.checkpoints()) {
    results_.add_file(checkpoint.path, "checkpoint", {{"step", checkpoint.step}});
  }
  const int64_t epochs = progress_.step / batches_.steps_per_epoch();
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    std::error_code ignored;
    if (!samples_are_due(options_, epoch, progress_.step, batches_.steps_per_epoch()) ||
        !std::filesystem::exists(samples_file(epoch), ignored)) {
      continue;
    }
    results_.add_file(samples_file(epoch), "samples", {{"epoch", epoch}});
  }
  std::error_code ignored;
  if (std::filesystem::exists(last_samples_file(), ignored)) {
    results_.add_file(last_samples_file(), "samples", {{"step", total_steps_}});
  }
  results_.print();
}

}  // namespace ebb
