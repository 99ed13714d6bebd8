#include "diffusion/objective.h"

#include <array>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr std::array kTypes = {ObjectiveType::kDdpm,     ObjectiveType::kFlow,
                               ObjectiveType::kDenoise,  ObjectiveType::kPureNoise,
                               ObjectiveType::kClassify, ObjectiveType::kConsistency};
constexpr double kMaxSigma = 1e6, kMaxRho = 100;
constexpr std::array kSchedules = {std::pair{"linear", BetaSchedule::kLinear},
                                   std::pair{"squared_cosine", BetaSchedule::kSquaredCosine},
                                   std::pair{"scaled_linear", BetaSchedule::kScaledLinear},
                                   std::pair{"sigmoid", BetaSchedule::kSigmoid},
                                   std::pair{"trained", BetaSchedule::kTrained}};
constexpr std::array kPredictions = {std::pair{"epsilon", PredictionType::kEpsilon},
                                     std::pair{"sample", PredictionType::kSample},
                                     std::pair{"v_prediction", PredictionType::kV}};
constexpr std::array kTimeInputs = {std::pair{"(k+1)/T", TimeInput::kFraction},
                                    std::pair{"k", TimeInput::kIndex}};
constexpr std::array kDataRanges = {std::pair{"0..1", DataRange::kZeroToOne},
                                    std::pair{"-1..1", DataRange::kMinusOneToOne}};

// Reads the settings of one objective, naming file, key and value of what does not fit.
class Reader {
 public:
  Reader(const Json& json, const std::string& where) : json_(json), where_(where) {}

  // A key that nothing read is of another objective or misspelled.
  void refuse_other_keys() const {
    std::string expected;
    for (const std::string& key : read_) expected += (expected.empty() ? "" : ", ") + key;
    for (const auto& [key, value] : json_.items()) {
      EBB_CHECK(read_.contains(key), FormatError, where_, ": metadata \"ebb.objective\": key ",
                quoted(key), " is none of type ", json_["type"].get<std::string>(), ", expected ",
                expected, ". Correct the file's metadata.");
    }
  }

  ObjectiveType type() const {
    read_.insert("type");
    std::string expected;
    for (const ObjectiveType type : kTypes) {
      if (json_.contains("type") && json_["type"] == to_string(type)) return type;
      expected += (expected.empty() ? "" : ", ") + std::string(to_string(type));
    }
    fail("type", "expected one of " + expected);
  }

  int64_t integer(const char* key, int64_t low, int64_t high) const {
    const Json& value = value_of(key);
    const bool valid =
        value.is_number_integer() && value.get<int64_t>() >= low && value.get<int64_t>() <= high;
    if (!valid) fail(key, cat("expected ", low, "..", high));
    return value.get<int64_t>();
  }

  // A number in (low, high].
  double number(const char* key, double low, double high) const {
    const Json& value = value_of(key);
    const bool valid =
        value.is_number() && value.get<double>() > low && value.get<double>() <= high;
    if (!valid) fail(key, cat("expected a number above ", low, " and up to ", high));
    return value.get<double>();
  }

  // `count` numbers in (0, 0.999].
  std::vector<double> betas(const char* key, int64_t count) const {
    const Json& list = value_of(key);
    std::vector<double> betas;
    if (list.is_array()) {
      for (const Json& value : list) {
        const double beta = value.is_number() ? value.get<double>() : 0;
        if (beta > 0 && beta <= kMaxBeta) betas.push_back(beta);
      }
    }
    if (!list.is_array() || betas.size() != list.size() ||
        static_cast<int64_t>(betas.size()) != count) {
      fail(key, cat("expected ", count, " numbers above 0 and up to ", kMaxBeta));
    }
    return betas;
  }

  // One of the names; the first where the file leaves the key out.
  template <typename T, size_t kCount>
  T choice(const char* key, const std::array<std::pair<const char*, T>, kCount>& names) const {
    read_.insert(key);
    std::string expected;
    for (const auto& [name, value] : names) {
      if (!json_.contains(key) || json_[key] == name) return value;
      expected += cat(expected.empty() ? "" : " or ", '"', name, '"');
    }
    fail(key, "expected " + expected);
  }

 private:
  [[noreturn]] void fail(const char* key, const std::string& expected) const {
    throw FormatError(cat(where_, ": metadata \"ebb.objective\": key \"", key, "\" is ", found(key),
                          ", ", expected, ". Correct the file's metadata."));
  }

  // Not a copy: a file may nest deeper than the stack, and the JSON library copies by recursion.
  const Json& value_of(const char* key) const {
    read_.insert(key);
    static const Json kNull;
    return json_.contains(key) ? json_[key] : kNull;
  }

  // It prints by recursion, too.
  std::string found(const char* key) const {
    if (!json_.contains(key)) return "missing";
    const Json& value = json_[key];
    return value.is_structured() ? cat("an ", value.type_name()) : terminal_safe(value.dump());
  }

  const Json& json_;
  const std::string& where_;
  mutable std::set<std::string> read_;  // keys
};

}  // namespace

const char* to_string(ObjectiveType type) {
  switch (type) {
    case ObjectiveType::kDdpm:
      return "ddpm";
    case ObjectiveType::kFlow:
      return "flow";
    case ObjectiveType::kDenoise:
      return "denoise";
    case ObjectiveType::kPureNoise:
      return "pure_noise";
    case ObjectiveType::kClassify:
      return "classify";
    case ObjectiveType::kConsistency:
      return "consistency";
  }
  return "unknown";
}

std::string to_json(const Objective& objective) {
  Json json = {{"type", to_string(objective.type)}};
  if (objective.type == ObjectiveType::kDdpm) {
    json["timesteps"] = objective.timesteps;
    if (has_ends(objective.schedule)) {
      json["beta_start"] = objective.beta_start;
      json["beta_end"] = objective.beta_end;
    }
    if (objective.schedule == BetaSchedule::kTrained) {
      Json betas = Json::array();
      for (const double beta : objective.betas) betas.push_back(beta);
      json["betas"] = std::move(betas);
    }
    if (objective.schedule != BetaSchedule::kLinear) {
      json["schedule"] = kSchedules[static_cast<size_t>(objective.schedule)].first;
    }
    if (objective.prediction != PredictionType::kEpsilon) {
      json["prediction"] = kPredictions[static_cast<size_t>(objective.prediction)].first;
    }
    json["t_input"] = kTimeInputs[static_cast<size_t>(objective.time_input)].first;
  }
  if (objective.type == ObjectiveType::kConsistency) {
    const Consistency& consistency = objective.consistency;
    json["timesteps"] = objective.timesteps;
    json["sigma_min"] = consistency.sigma_min;
    json["sigma_max"] = consistency.sigma_max;
    json["sigma_data"] = consistency.sigma_data;
    json["rho"] = consistency.rho;
  }
  if (objective.type == ObjectiveType::kDenoise) json["sigma"] = objective.sigma;
  if (objective.data_range != DataRange::kZeroToOne) {
    json["data_range"] = kDataRanges[static_cast<size_t>(objective.data_range)].first;
  }
  return json.dump();
}

Objective parse_objective(const std::string& text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(json.is_object(), FormatError, where, ": metadata \"ebb.objective\" is ", quoted(text),
            ", expected a JSON object. Correct the file's metadata.");
  const Reader reader(json, where);
  Objective objective{.type = reader.type()};
  if (objective.type == ObjectiveType::kDdpm) {
    objective.timesteps = reader.integer("timesteps", 1, kMaxTimesteps);
    objective.schedule = reader.choice("schedule", kSchedules);
    if (has_ends(objective.schedule)) {
      objective.beta_end = reader.number("beta_end", 0, kMaxBeta);
      objective.beta_start = reader.number("beta_start", 0, objective.beta_end);
    }
    if (objective.schedule == BetaSchedule::kTrained) {
      objective.betas = reader.betas("betas", objective.timesteps);
    }
    objective.prediction = reader.choice("prediction", kPredictions);
    objective.time_input = reader.choice("t_input", kTimeInputs);
  }
  if (objective.type == ObjectiveType::kConsistency) {
    objective.timesteps = reader.integer("timesteps", 1, kMaxTimesteps);
    objective.consistency.sigma_max = reader.number("sigma_max", 0, kMaxSigma);
    objective.consistency.sigma_min =
        reader.number("sigma_min", 0, objective.consistency.sigma_max);
    objective.consistency.sigma_data = reader.number("sigma_data", 0, kMaxSigma);
    objective.consistency.rho = reader.number("rho", 0, kMaxRho);
  }
  objective.data_range = reader.choice("data_range", kDataRanges);
  if (objective.type == ObjectiveType::kDenoise) objective.sigma = reader.number("sigma", 0, 1000);
  reader.refuse_other_keys();
  return objective;
}

bool has_ends(BetaSchedule schedule) {
  return schedule == BetaSchedule::kLinear || schedule == BetaSchedule::kScaledLinear ||
         schedule == BetaSchedule::kSigmoid;
}

bool takes_time(const Objective& objective) {
  return objective.type == ObjectiveType::kDdpm || objective.type == ObjectiveType::kFlow ||
         objective.type == ObjectiveType::kConsistency;
}

}  // namespace ebb
