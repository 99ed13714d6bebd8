#include "diffusion/objective.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("every objective comes back from its JSON") {
  const std::vector<Objective> objectives = {
      {.type = ObjectiveType::kDdpm, .timesteps = 77, .beta_start = 0.003, .beta_end = 0.3},
      {.type = ObjectiveType::kFlow},
      {.type = ObjectiveType::kDenoise, .sigma = 0.25},
      {.type = ObjectiveType::kPureNoise, .data_range = DataRange::kMinusOneToOne},
      {.type = ObjectiveType::kClassify},
      {.type = ObjectiveType::kConsistency, .timesteps = 40, .consistency = {.sigma_max = 50}},
      {.timesteps = 1000,
       .schedule = BetaSchedule::kSquaredCosine,
       .time_input = TimeInput::kIndex,
       .data_range = DataRange::kMinusOneToOne}};
  for (const Objective& objective : objectives) {
    CHECK(parse_objective(to_json(objective), "m") == objective);
  }
}

TEST_CASE("the JSON of the DDPM objective names its settings and the time convention") {
  const auto json = nlohmann::json::parse(to_json(Objective{}));
  CHECK(json == nlohmann::json::parse(R"({"type": "ddpm", "timesteps": 300, "beta_start": 1e-4,
                                          "beta_end": 0.02, "t_input": "(k+1)/T"})"));
}

TEST_CASE("a file may leave the time convention out but not choose another") {
  const std::string settings = R"("type": "ddpm", "timesteps": 300, "beta_start": 1e-4,
                                  "beta_end": 0.02)";
  CHECK(parse_objective("{" + settings + "}", "m") == Objective{});
  CHECK_THROWS_AS(parse_objective("{" + settings + R"(, "t_input": "k/T"})", "m"), FormatError);
}

TEST_CASE("a key that the type does not have is refused and those it has are named") {
  const auto refusal = [](const char* json) {
    return test::message_of<FormatError>([&] { parse_objective(json, "m"); });
  };
  CHECK_THAT(refusal(R"({"type": "flow", "timestep": 300})"),
             Contains("m: ") && Contains("key \"timestep\" is none of type flow") &&
                 Contains("data_range, type"));
  CHECK_THAT(refusal(R"({"type": "flow", "sigma": 0.5})"), Contains("key \"sigma\""));
  CHECK_THAT(refusal(R"({"type": "ddpm", "timesteps": 300, "schedule": "squared_cosine",
                         "beta_start": 1e-4})"),
             Contains("key \"beta_start\""));
  CHECK_THAT(refusal("{\"type\": \"classify\", \"a\\u001b[2J\": 1}"), Contains("a\\x1b[2J"));
}

TEST_CASE("an objective that does not fit names file, key and value") {
  struct Bad {
    const char* json;
    const char* key;
    const char* value;
  };
  const std::vector<Bad> bad = {
      {R"({})", "type", "missing"},
      {R"({"type": "vae"})", "type", "\"vae\""},
      {R"({"type": 3})", "type", "3"},
      {R"({"type": "ddpm", "beta_start": 1e-4, "beta_end": 0.02})", "timesteps", "missing"},
      {R"({"type": "ddpm", "timesteps": 0, "beta_start": 1e-4, "beta_end": 0.02})", "timesteps",
       "0"},
      {R"({"type": "ddpm", "timesteps": 3.5, "beta_start": 1e-4, "beta_end": 0.02})", "timesteps",
       "3.5"},
      {R"({"type": "ddpm", "timesteps": 99999999999999999999, "beta_start": 1, "beta_end": 1})",
       "timesteps", "1e+20"},
      {R"({"type": "ddpm", "timesteps": 300, "beta_start": 0, "beta_end": 0.02})", "beta_start",
       "0"},
      {R"({"type": "ddpm", "timesteps": 300, "beta_start": 0.1, "beta_end": 0.02})", "beta_start",
       "0.1"},
      {R"({"type": "ddpm", "timesteps": 300, "beta_start": 1e-4, "beta_end": 1})", "beta_end", "1"},
      {R"({"type": "ddpm", "timesteps": 300, "beta_start": 1e-4, "beta_end": "x"})", "beta_end",
       "\"x\""},
      {R"({"type": "ddpm", "timesteps": 9, "schedule": "cubic"})", "schedule", "\"cubic\""},
      {R"({"type": "flow", "data_range": "0..255"})", "data_range", "\"0..255\""},
      {R"({"type": "denoise"})", "sigma", "missing"},
      {R"({"type": "denoise", "sigma": -1})", "sigma", "-1"},
  };
  for (const Bad& b : bad) {
    INFO(b.json);
    const std::string message =
        test::message_of<FormatError>([&] { parse_objective(b.json, "m.safetensors"); });
    CHECK_THAT(message, Contains("m.safetensors") && Contains(b.key) && Contains(b.value));
  }
}

TEST_CASE("an objective that is no JSON object is refused") {
  for (const char* text : {"", "ddpm", "[1]", "{\"type\": \"flow\"", "null"}) {
    CHECK_THROWS_AS(parse_objective(text, "m"), FormatError);
  }
}

TEST_CASE("a deeply nested value is refused without descending into it") {
  const std::string nested = std::string(200000, '[') + std::string(200000, ']');
  CHECK_THROWS_AS(parse_objective("{\"type\": " + nested + "}", "deep"), FormatError);
  CHECK_THROWS_AS(parse_objective("{\"type\": \"ddpm\", \"timesteps\": " + nested + "}", "deep"),
                  FormatError);
}

}  // namespace
}  // namespace ebb
