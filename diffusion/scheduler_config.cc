#include "diffusion/scheduler_config.h"

#include "nn/config_reader.h"

namespace ebb {
namespace {

// Choices of a scheduler whose file does not name them.
struct Defaults {
  bool clips;
  const char* spacing;
  const char* betas = "linear";
};

Defaults defaults_of(const ConfigReader& reader) {
  return reader.choice<Defaults>("_class_name", "DDPMScheduler",
                                 {{"DDPMScheduler", {true, "leading"}},
                                  {"DDIMScheduler", {true, "leading"}},
                                  {"PNDMScheduler", {false, "leading"}},
                                  {"DPMSolverMultistepScheduler", {false, "linspace"}},
                                  {"EulerDiscreteScheduler", {false, "linspace"}},
                                  {"UnCLIPScheduler", {true, "linspace", "squaredcos_cap_v2"}}});
}

void read_betas(const ConfigReader& reader, const Defaults& defaults, Objective& objective) {
  objective.timesteps = reader.integer("num_train_timesteps", 1000, 1, kMaxTimesteps);
  objective.beta_start = reader.positive("beta_start", 1e-4);
  objective.beta_end = reader.positive("beta_end", 0.02);
  objective.schedule =
      reader.choice<BetaSchedule>("beta_schedule", defaults.betas,
                                  {{"linear", BetaSchedule::kLinear},
                                   {"scaled_linear", BetaSchedule::kScaledLinear},
                                   {"squaredcos_cap_v2", BetaSchedule::kSquaredCosine},
                                   {"sigmoid", BetaSchedule::kSigmoid}});
  reader.check(objective.beta_end <= kMaxBeta, "beta_end", "at most ", kMaxBeta);
  reader.check(objective.beta_start <= objective.beta_end, "beta_start", "at most beta_end");
  if (reader.is_null("trained_betas")) return;
  objective.schedule = BetaSchedule::kTrained;
  objective.betas = reader.numbers("trained_betas", 1e-12, kMaxBeta);
  reader.check(!objective.betas.empty(), "trained_betas", "at least one number");
  objective.timesteps = static_cast<int64_t>(objective.betas.size());
}

std::optional<Thresholding> read_thresholding(const ConfigReader& reader, bool clips) {
  if (reader.boolean("thresholding", false)) {
    const double ratio = reader.number("dynamic_thresholding_ratio", 0.995);
    const double limit = reader.number("sample_max_value", 1);
    reader.check(ratio >= 0 && ratio <= 1, "dynamic_thresholding_ratio", "0..1");
    reader.check(limit >= 1, "sample_max_value", "at least 1");
    return Thresholding{.dynamic = true, .limit = limit, .ratio = ratio};
  }
  if (!reader.boolean("clip_sample", clips)) return std::nullopt;
  return Thresholding{.dynamic = false, .limit = reader.positive("clip_sample_range", 1)};
}

SamplingConfig read_sampling(const ConfigReader& reader, const Defaults& defaults) {
  SamplingConfig sampling;
  sampling.thresholding = read_thresholding(reader, defaults.clips);
  sampling.variance = reader.choice<DdpmVariance>("variance_type", "fixed_small",
                                                  {{"fixed_small", DdpmVariance::kFixedSmall},
                                                   {"fixed_small_log", DdpmVariance::kFixedSmall},
                                                   {"fixed_large", DdpmVariance::kFixedLarge},
                                                   {"learned_range", DdpmVariance::kLearnedRange},
                                                   {"null", DdpmVariance::kFixedSmall}});
  sampling.spacing = reader.choice<TimestepSpacing>("timestep_spacing", defaults.spacing,
                                                    {{"leading", TimestepSpacing::kLeading},
                                                     {"trailing", TimestepSpacing::kTrailing},
                                                     {"linspace", TimestepSpacing::kLinspace}});
  sampling.steps_offset = reader.integer("steps_offset", 0, 0, 1);
  return sampling;
}

// CMStochasticIterativeScheduler.
SchedulerConfig read_consistency(const ConfigReader& reader) {
  SchedulerConfig config;
  Objective& objective = config.objective;
  objective.type = ObjectiveType::kConsistency;
  objective.data_range = DataRange::kMinusOneToOne;
  objective.timesteps = reader.integer("num_train_timesteps", 40, 1, kMaxTimesteps);
  Consistency& consistency = objective.consistency;
  consistency.sigma_min = reader.positive("sigma_min", 0.002);
  consistency.sigma_max = reader.positive("sigma_max", 80);
  consistency.sigma_data = reader.positive("sigma_data", 0.5);
  consistency.rho = reader.positive("rho", 7);
  reader.check(consistency.sigma_min < consistency.sigma_max, "sigma_min", "below sigma_max");
  reader.check(reader.number("s_noise", 1) == 1, "s_noise", "1");
  if (reader.boolean("clip_denoised", true)) {
    config.sampling.thresholding = Thresholding{.dynamic = false, .limit = 1};
  }
  return config;
}

}  // namespace

SchedulerConfig parse_scheduler_config(const Json& json, const std::string& label) {
  const ConfigReader reader(json, label);
  const std::string name = reader.text("_class_name", "DDPMScheduler");
  if (name == "CMStochasticIterativeScheduler") return read_consistency(reader);
  const Defaults defaults = defaults_of(reader);
  reader.check(!reader.boolean("rescale_betas_zero_snr", false), "rescale_betas_zero_snr", "false");
  SchedulerConfig config;
  read_betas(reader, defaults, config.objective);
  config.objective.prediction =
      reader.choice<PredictionType>("prediction_type", "epsilon",
                                    {{"epsilon", PredictionType::kEpsilon},
                                     {"sample", PredictionType::kSample},
                                     {"v_prediction", PredictionType::kV}});
  config.objective.time_input = TimeInput::kIndex;
  config.objective.data_range = DataRange::kMinusOneToOne;
  config.sampling = read_sampling(reader, defaults);
  return config;
}

SchedulerConfig if_scheduler_config() {
  return parse_scheduler_config({{"beta_schedule", "squaredcos_cap_v2"},
                                 {"variance_type", "learned_range"},
                                 {"thresholding", true},
                                 {"dynamic_thresholding_ratio", 0.95},
                                 {"sample_max_value", 1.5}},
                                "the default of DeepFloyd IF");
}

}  // namespace ebb
