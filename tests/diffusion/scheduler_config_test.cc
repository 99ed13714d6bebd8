#include "diffusion/scheduler_config.h"

#include <algorithm>
#include <cmath>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/golden.h"

namespace ebb {
namespace {

SchedulerConfig parse(const Json& json) { return parse_scheduler_config(json, "s.json"); }

TEST_CASE("scheduler_config: what is left out is as diffusers has it") {
  const SchedulerConfig config = parse({{"_class_name", "DDPMScheduler"}, {"unknown", 1}});
  CHECK(config.objective == Objective{.type = ObjectiveType::kDdpm,
                                      .timesteps = 1000,
                                      .time_input = TimeInput::kIndex,
                                      .data_range = DataRange::kMinusOneToOne});
  CHECK(config.sampling == SamplingConfig{.variance = DdpmVariance::kFixedSmall,
                                          .thresholding = Thresholding{.limit = 1},
                                          .spacing = TimestepSpacing::kLeading});
}

TEST_CASE("scheduler_config: solvers have defaults of their own") {
  const SamplingConfig solver =
      parse({{"_class_name", "DPMSolverMultistepScheduler"}, {"variance_type", nullptr}}).sampling;
  CHECK_FALSE(solver.thresholding);
  CHECK(solver.spacing == TimestepSpacing::kLinspace);
  CHECK(solver.variance == DdpmVariance::kFixedSmall);
  CHECK_FALSE(parse({{"_class_name", "PNDMScheduler"}}).sampling.thresholding);
  CHECK(parse({{"_class_name", "DDIMScheduler"}}).sampling.thresholding ==
        Thresholding{.limit = 1});
  CHECK(parse({{"_class_name", "PNDMScheduler"}, {"clip_sample", true}}).sampling.thresholding);
}

TEST_CASE("scheduler_config: what ebb does not sample is refused by key and value") {
  const auto refused = [](const char* key, const Json& value, const std::string& text) {
    Json json{{"_class_name", "DDPMScheduler"}};
    json[key] = value;
    CHECK_THROWS_WITH(parse(json),
                      Catch::Contains("s.json") && Catch::Contains(key) && Catch::Contains(text));
  };
  refused("_class_name", "KarrasVeScheduler", "DDPMScheduler");
  refused("beta_schedule", "laplace", "linear");
  refused("variance_type", "learned", "learned_range");
  refused("variance_type", "fixed_large_log", "fixed_large");
  refused("prediction_type", "flow", "epsilon");
  refused("rescale_betas_zero_snr", true, "false");
  refused("num_train_timesteps", 0, "1..");
  refused("beta_end", 2.0, "0.999");
  refused("trained_betas", Json::array(), "at least one");
}

// Saved predictions, and codes of the variance where they are learned.
class SavedDenoiser final : public Denoiser {
 public:
  SavedDenoiser(Context& context, const test::Golden& golden, const std::string& name)
      : context_(context), predictions_(golden.values(name + ".prediction")) {
    if (golden.contains(name + ".code")) codes_ = golden.values(name + ".code");
  }

  Prediction predict(const Tensor& x, const Tensor& t) override {
    times.push_back(static_cast<int32_t>(std::lround(t.item())));
    return {next(predictions_, x.shape(), value_),
            codes_.empty() ? Tensor() : next(codes_, x.shape(), code_)};
  }

  std::vector<int32_t> times;

 private:
  Tensor next(const std::vector<float>& all, const Shape& shape, Tensor& kept) const {
    const int64_t count = shape.elements();
    const auto begin = all.begin() + static_cast<int64_t>(times.size() - 1) * count;
    kept = test::tensor_of(context_, shape, {begin, begin + count});
    return kept;
  }

  Context& context_;
  std::vector<float> predictions_, codes_;
  Tensor value_, code_;
};

// The worst error of a state over the run, over the largest value of that state.
double worst_error(Context& context, const test::Golden& golden, const std::string& name,
                   const SchedulerConfig& config) {
  const std::vector<double> states = golden.doubles(name + ".state");
  const std::vector<int32_t> timesteps = golden.integers(name + ".timestep");
  const Shape shape{2, 3, 4, 4};
  const auto count = static_cast<size_t>(shape.elements());
  const SamplingSchedule schedule =
      spaced_schedule(config.objective, static_cast<int64_t>(timesteps.size()),
                      *config.sampling.spacing, config.sampling.steps_offset);
  const auto sampler = make_sampler(context,
                                    {.variance = *config.sampling.variance,
                                     .thresholding = config.sampling.thresholding,
                                     .prediction = config.objective.prediction},
                                    schedule);
  SavedDenoiser denoiser(context, golden, name);
  const Tensor x = test::tensor_of(context, shape,
                                   {states.begin(), states.begin() + static_cast<int64_t>(count)});
  double worst = 0;
  run_sampler(context, *sampler, schedule, {}, denoiser, nullptr, ImageNoise(context, 1), x,
              [&](int64_t done, const Tensor& state) {
                const std::vector<float> actual = state.to_host();
                double error = 0, size = 0;
                for (size_t e = 0; e < count; ++e) {
                  const double expected = states[static_cast<size_t>(done) * count + e];
                  error = std::max(error, std::fabs(actual[e] - expected));
                  size = std::max(size, std::fabs(expected));
                }
                worst = std::max(worst, error / size);
                return true;
              });
  CHECK(denoiser.times == timesteps);
  return worst;
}

TEST_CASE("scheduler_config: whole sampling runs equal diffusers") {
  const auto context = test::cpu_context();
  const test::Golden golden("diffusers_schedulers");
  const Json configs = Json::parse(golden.metadata("configs"));
  CHECK(configs.size() == 7);
  for (const auto& [name, text] : configs.items()) {
    CAPTURE(name);
    const SchedulerConfig config = parse(Json::parse(text.get<std::string>()));
    // ebb's noise differs from that of the file by up to 2e-6.
    CHECK(worst_error(*context, golden, name, config) < 1e-5);
  }
}

TEST_CASE("scheduler_config: lists of timesteps of diffusers") {
  const auto first = [](TimestepSpacing spacing, int64_t steps, int64_t offset) {
    std::vector<int64_t> list = spaced_timesteps(1000, steps, spacing, offset);
    CHECK(static_cast<int64_t>(list.size()) == steps);
    list.resize(4);
    return list;
  };
  using List = std::vector<int64_t>;
  CHECK(first(TimestepSpacing::kLeading, 20, 0) == List{950, 900, 850, 800});
  CHECK(first(TimestepSpacing::kLeading, 30, 1) == List{958, 925, 892, 859});
  CHECK(first(TimestepSpacing::kTrailing, 7, 0) == List{999, 856, 713, 570});
  CHECK(first(TimestepSpacing::kTrailing, 30, 0) == List{999, 966, 932, 899});
  CHECK(first(TimestepSpacing::kLinspace, 30, 0) == List{999, 965, 930, 896});
}

}  // namespace
}  // namespace ebb
