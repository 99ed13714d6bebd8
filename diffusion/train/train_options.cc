#include "diffusion/train/train_options.h"

#include <limits>

#include "diffusion/kernels_flag.h"
#include "engine/base/error.h"

namespace ebb {
namespace {

constexpr double kHuge = std::numeric_limits<double>::max();

Course parse_course(const std::string& name) {
  if (name == "fa24") return Course::kFa24;
  if (name == "sp25") return Course::kSp25;
  return Course::kFa25;
}

TrainModel parse_model(const std::string& name) {
  if (name == "denoiser") return TrainModel::kDenoiser;
  if (name == "time") return TrainModel::kTime;
  if (name == "judge") return TrainModel::kJudge;
  return TrainModel::kClass;
}

// Flow matching came with the spring 2025 edition, so asking for it alone means the newest one.
Course choose_course(const std::optional<std::string>& course,
                     const std::optional<std::string>& objective) {
  if (course) return parse_course(*course);
  return objective == "flow" ? Course::kFa25 : Course::kFa24;
}

template <typename T>
void set(T& field, const std::optional<T>& flag) {
  if (flag) field = *flag;
}

}  // namespace

TrainFlags::TrainFlags(CLI::App& app) {
  app.add_option("--model", model_,
                 "network to train: denoiser, time, class, or judge, the classifier that ebb "
                 "eval asks")
      ->required()
      ->check(CLI::IsMember({"denoiser", "time", "class", "judge"}));
  app.add_option("--course", course_,
                 "edition whose settings apply: fa24 (DDPM, default), sp25 or fa25 (flow matching)")
      ->check(CLI::IsMember({"fa24", "sp25", "fa25"}));
  app.add_option("--objective", objective_, "ddpm or flow; for time and class")
      ->check(CLI::IsMember({"ddpm", "flow"}));
  app.add_option("--input", input_, "what the denoiser sees: image (noised digit) or noise")
      ->check(CLI::IsMember({"image", "noise"}));

  app.add_option("--data", options_.data,
                 "directory of the four MNIST files (default $EBB_DATA, else data/mnist)");
  app.add_option("-o,--output", options_.output, "run directory")->required();
  app.add_option("--resume", options_.resume,
                 "auto: go on from the newest good checkpoint of --output, or start; or a file");
  app.add_flag("--force-resume", options_.force_resume,
               "resume although settings or data differ; the run is then no longer reproducible");

  app.add_option("--hidden", hidden_, "width D of the network")->check(CLI::Range(1, 1024));
  app.add_option("--batch-size", batch_size_, "images per step")->check(CLI::Range(1, 60000));
  app.add_option("--epochs", epochs_, "passes over the data")->check(CLI::Range(1, 100000));
  app.add_option("--max-steps", max_steps_, "stop after this many steps in all (0: no limit)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  app.add_option("--lr", lr_, "Adam's learning rate")->check(CLI::Range(0.0, 10.0));
  app.add_option("--lr-decay", lr_decay_,
                 "factor by which the rate falls over all epochs, in equal ratios (1: constant)")
      ->check(CLI::Range(1e-6, 1.0));
  app.add_option("--lr-warmup-steps", warmup_, "steps over which the rate rises from 0")
      ->check(CLI::Range(0, 1000000));
  app.add_option("--sigma", sigma_, "noise level of the denoiser")->check(CLI::Range(0.0, 10.0));
  app.add_option("--timesteps", timesteps_, "T of the DDPM schedule")->check(CLI::Range(2, 10000));
  app.add_option("--class-dropout", class_dropout_, "probability of an empty class")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--ema-decay", ema_decay_,
                 "decay of the weight average that the final model uses (0: no average)")
      ->check(CLI::Range(0.0, 0.999999));
  app.add_option("--clip-norm", clip_norm_, "largest gradient norm (0: no clipping)")
      ->check(CLI::Range(0.0, kHuge));
  app.add_option("--max-shift", max_shift_, "pixels by which the judge's examples move at most")
      ->check(CLI::Range(0.0, 14.0));
  app.add_option("--max-rotation", max_rotation_, "degrees by which they turn at most")
      ->check(CLI::Range(0.0, 90.0));
  app.add_flag("--overfit-batch", overfit_batch_,
               "train on the first batch alone, to test a setup");
  app.add_option("-s,--seed", seed_, "seed of initial weights, data order and noise");

  app.add_option("--save-every", options_.save_every, "steps between checkpoints")
      ->check(CLI::Range(1, 1000000000))
      ->capture_default_str();
  app.add_option("--keep-last", options_.keep_last, "checkpoints to keep")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--sample-every", options_.sample_every,
                 "epochs between sample grids (0: after the first, fifth and last)")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--device", options_.device, "auto, cpu, cuda, cuda:N or emu")
      ->capture_default_str();
  app.add_option("--threads", options_.threads, "CPU threads (0: all)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  add_kernels_flag(app);
  app.add_flag("--profile", options_.profile, "print time by kernel and by layer at the end");
  app.add_flag("-q,--quiet", options_.quiet, "no progress line");
}

TrainOptions TrainFlags::finish() const {
  TrainOptions options = options_;
  const TrainModel model = parse_model(model_);
  const bool denoiser = model == TrainModel::kDenoiser, judge = model == TrainModel::kJudge;
  EBB_CHECK(!((denoiser || judge) && objective_), UsageError, "--objective ",
            objective_.value_or(""), ": the ", model_,
            " has none. Use --model time or --model class");
  EBB_CHECK(!(judge && course_), UsageError, "--course ", course_.value_or(""),
            ": the judge is in no edition of the assignment. Leave --course out");
  EBB_CHECK(judge || !max_shift_, UsageError, "--max-shift: only for --model judge");
  EBB_CHECK(judge || !max_rotation_, UsageError, "--max-rotation: only for --model judge");
  EBB_CHECK(denoiser || !input_, UsageError, "--input ", input_.value_or(""),
            ": only for --model denoiser");
  EBB_CHECK(denoiser || !sigma_, UsageError, "--sigma: only for --model denoiser");
  EBB_CHECK(model == TrainModel::kClass || !class_dropout_, UsageError,
            "--class-dropout: only for --model class");
  options.course = choose_course(course_, objective_);
  TrainConfig& config = options.config;
  config = course_config(model, options.course);
  if (objective_) {
    config.objective.type = objective_ == "flow" ? ObjectiveType::kFlow : ObjectiveType::kDdpm;
  }
  if (input_ == "noise") config.objective.type = ObjectiveType::kPureNoise;
  EBB_CHECK(!timesteps_ || config.objective.type == ObjectiveType::kDdpm, UsageError,
            "--timesteps: only for the ddpm objective");
  set(config.objective.timesteps, timesteps_);
  set(config.objective.sigma, sigma_);
  set(config.hidden, hidden_);
  set(config.batch_size, batch_size_);
  set(config.epochs, epochs_);
  set(config.max_steps, max_steps_);
  set(config.lr, lr_);
  set(config.lr_decay, lr_decay_);
  set(config.lr_warmup_steps, warmup_);
  set(config.class_dropout, class_dropout_);
  set(config.ema_decay, ema_decay_);
  set(config.clip_norm, clip_norm_);
  set(config.max_shift, max_shift_);
  set(config.max_rotation, max_rotation_);
  config.seed = seed_;
  config.overfit_batch = overfit_batch_;
  return options;
}

}  // namespace ebb
