#include "apps/train_mnist/run_text.h"

#include <array>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <sstream>

#include "apps/cli/provenance.h"
#include "apps/train_mnist/run_data.h"
#include "base/text.h"
#include "weights/mnist_dataset.h"

namespace ebb {
namespace {

std::string short_number(double value, int digits) {
  std::ostringstream text;
  text << std::setprecision(digits) << value;
  return text.str();
}

// "60,000"
std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string network_text(const TrainConfig& config, int64_t parameters) {
  const char* name = config.model == TrainModel::kClassifier ? "classifier"
                     : config.model == TrainModel::kDenoiser ? "UNet without conditions"
                     : config.model == TrainModel::kTime     ? "UNet conditioned on time"
                                                             : "UNet conditioned on time and class";
  return cat(name, ", D = ", config.hidden, ", ", grouped(parameters), " parameters");
}

std::string objective_text(const Objective& objective) {
  switch (objective.type) {
    case ObjectiveType::kDdpm:
      return cat("DDPM, T = ", objective.timesteps);
    case ObjectiveType::kFlow:
      return "flow matching";
    case ObjectiveType::kDenoise:
      return cat("denoising at sigma ", short_number(objective.sigma, 3));
    case ObjectiveType::kPureNoise:
      return "denoising of pure noise";
    case ObjectiveType::kClassify:
    case ObjectiveType::kConsistency:  // not trained here
      break;
  }
  return "classification";
}

// Those that are not what every run has.
std::string settings_text(const TrainConfig& config, Preset preset, const RunSize& size) {
  const bool has_preset = config.model != TrainModel::kClassifier;
  std::string text = has_preset ? cat("preset ", to_string(preset), ", ") : "";
  text += cat(objective_text(config.objective), ", batches of ", config.batch_size);
  if (config.micro_batch_size > 0) text += cat(" in parts of ", config.micro_batch_size);
  text += cat(", lr ", short_number(config.lr, 4));
  const double last = learning_rate(config, size.steps - 1, size.steps_per_epoch);
  if (last < config.lr) text += cat(" to ", short_number(last, 3));
  const auto add = [&text](const char* name, double value) {
    if (value > 0) text += cat(", ", name, " ", short_number(value, 6));
  };
  add("warm-up steps", static_cast<double>(config.lr_warmup_steps));
  if (config.model == TrainModel::kClass) add("class dropout", config.class_dropout);
  add("EMA", config.ema_decay);
  add("gradient norm at most", config.clip_norm);
  if (config.overfit_batch) text += ", one batch only";
  return cat(text, ", seed ", config.seed);
}

// "1, 5 and 20"
std::string list_text(const std::vector<int64_t>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    text += cat(i == 0 ? "" : i + 1 == numbers.size() ? " and " : ", ", numbers[i]);
  }
  return text;
}

std::string samples_text(const TrainOptions& options, const RunSize& size) {
  std::vector<int64_t> epochs;
  const int64_t last_epoch = size.steps / size.steps_per_epoch;
  if (options.settings.sample_every > 0) {
    const int64_t every = options.settings.sample_every;
    if (every > last_epoch || options.config.model == TrainModel::kClassifier) return "";
    return every == 1 ? ", samples after every epoch" : cat(", samples every ", every, " epochs");
  }
  const bool at_end = samples_are_due_at_end(options, size.steps, size.steps_per_epoch);
  for (int64_t epoch = 1; epoch <= last_epoch; ++epoch) {
    if (samples_are_due(options, epoch, size.steps, size.steps_per_epoch)) epochs.push_back(epoch);
  }
  if (epochs.empty()) return at_end ? ", samples at the end" : "";
  return cat(", samples after epoch", epochs.size() > 1 ? "s " : " ", list_text(epochs),
             at_end ? " and at the end" : "");
}

std::string device_text(const Context& context) {
  const Device device = context.device();
  std::string text = to_string(device);
  const int threads = context.kernel_stream().threads;
  if (device.type == DeviceType::kCpu)
    text += cat(", ", threads, threads == 1 ? " thread" : " threads");
  return cat(text, ", ", to_string(context.precision()));
}

std::string length_text(const RunSize& size) {
  const int64_t epochs = size.steps / size.steps_per_epoch;
  const int64_t rest = size.steps % size.steps_per_epoch;
  return cat(grouped(size.steps), size.steps == 1 ? " step" : " steps", ", ",
             grouped(size.steps_per_epoch), " an epoch",
             rest == 0 ? cat(", ", epochs, epochs == 1 ? " epoch" : " epochs") : "");
}

std::string validation_text(const TrainConfig& config, int64_t images) {
  if (config.model == TrainModel::kClassifier) return "";
  return images == 0 ? ", no validation" : cat(", validation on ", grouped(images), " test images");
}

void add_measures(const LogEntry& entry, std::vector<ProgressFact>& facts) {
  if (entry.validation_loss) {
    facts.push_back({"validation_loss", *entry.validation_loss,
                     "validation " + short_number(*entry.validation_loss, 4)});
  }
  if (entry.read_as_asked) {
    facts.push_back({"read_as_asked", *entry.read_as_asked,
                     cat("read as asked ", short_number(100 * *entry.read_as_asked, 3), " %")});
  }
  if (entry.test_accuracy) {
    facts.push_back({"test_accuracy", *entry.test_accuracy,
                     cat("accuracy ", short_number(100 * *entry.test_accuracy, 4), " %")});
  }
}

// Facts for programs, and for people where the line is redrawn.
void add_optimizer(const LogEntry& entry, std::vector<ProgressFact>& facts) {
  facts.push_back(
      {"grad_norm", entry.grad_norm, "grad " + short_number(entry.grad_norm, 3), false});
  facts.push_back({"lr", entry.lr, "lr " + short_number(entry.lr, 3), false});
}

std::string rate_text(double images_per_second) {
  return cat(std::llround(images_per_second), " images/s");
}

}  // namespace

std::string run_header(const TrainOptions& options, const RunSize& size, const Context& context) {
  const TrainConfig& config = options.config;
  std::ostringstream out;
  const auto line = [&out](const char* name, const std::string& text) {
    out << std::left << std::setw(10) << name << text << '\n';
  };
  line("network", network_text(config, size.parameters));
  line("settings", settings_text(config, options.settings.preset, size));
  line("data", cat(path_label(mnist_directory(options.settings.data)), ": ", grouped(size.images),
                   " images", validation_text(config, size.validation_images)));
  line("device", device_text(context));
  line("output", cat(path_label(options.output), ": a checkpoint every ",
                     grouped(options.settings.save_every), " steps", samples_text(options, size)));
  line("length", length_text(size));
  return out.str();
}

std::string end_estimate(double seconds_left) {
  const std::time_t now = std::time(nullptr);
  const std::time_t end = now + static_cast<std::time_t>(seconds_left);
  std::tm start{}, local{};
  ::localtime_r(&now, &start);
  ::localtime_r(&end, &local);
  const bool same_day = start.tm_year == local.tm_year && start.tm_yday == local.tm_yday;
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), same_day ? "%H:%M" : "%Y-%m-%d %H:%M", &local);
  return cat("about ", format_duration(seconds_left), " left, until ", text.data());
}

std::vector<ProgressFact> step_facts(const LogEntry& entry) {
  std::vector<ProgressFact> facts{{"epoch", entry.epoch, cat("epoch ", entry.epoch)},
                                  {"loss", entry.loss, "loss " + short_number(entry.loss, 4)}};
  add_measures(entry, facts);
  add_optimizer(entry, facts);
  facts.push_back(
      {"images_per_second", entry.images_per_second, rate_text(entry.images_per_second)});
  return facts;
}

std::vector<ProgressFact> epoch_facts(const LogEntry& last, const EpochSummary& epoch) {
  std::vector<ProgressFact> facts{
      {"epoch", last.epoch, cat("epoch ", last.epoch)},
      {"loss", last.loss, ""},
      {"epoch_loss", epoch.mean_loss, "mean loss " + short_number(epoch.mean_loss, 4)}};
  add_measures(last, facts);
  facts.push_back({"grad_norm", last.grad_norm, ""});
  facts.push_back({"lr", last.lr, ""});
  if (epoch.seconds > 0) {  // 0: the epoch ended in another process
    facts.push_back(
        {"epoch_seconds", std::round(100 * epoch.seconds) / 100, format_duration(epoch.seconds)});
    facts.push_back(
        {"images_per_second", epoch.images_per_second, rate_text(epoch.images_per_second)});
  }
  return facts;
}

std::string next_command(const TrainOptions& options) {
  const std::string& program = options.program;
  const size_t slash = program.rfind('/');
  const std::string ebb = slash == std::string::npos ? "ebb" : program.substr(0, slash + 1) + "ebb";
  std::vector<std::string> command;
  if (takes_time(options.config.objective)) {
    command = {ebb, "sample", "--model", options.output};
    if (options.config.model == TrainModel::kClass) {
      command.insert(command.end(), {"--class", "all"});
    } else {
      command.insert(command.end(), {"-b", "10"});
    }
    command.insert(command.end(), {"--grid", "-o", "digits.png"});
  } else {
    command = {ebb, "eval", options.output};
    if (!options.settings.data.empty()) {
      command.insert(command.end(), {"--data", options.settings.data});
    }
  }
  return shell_command(command);
}

}  // namespace ebb
