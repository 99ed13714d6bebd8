#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/data_range.h"

namespace ebb {

// The prediction target of a network's training.
enum class ObjectiveType {
  kDdpm,         // the noise in x_t = sqrt(ab_t) x0 + sqrt(1 - ab_t) eps (Ho et al. 2020)
  kFlow,         // the velocity x1 - x0 at x_t = (1 - t) x0 + t x1, noise x0, data x1
  kDenoise,      // the image in x0 + sigma eps
  kPureNoise,    // the image given nothing but eps
  kClassify,     // the class of the image
  kConsistency,  // the image in x0 + sigma eps, in one step (diffusion/consistency.h)
};

// "ddpm", "flow", "denoise", "pure_noise", "classify", "consistency"
const char* to_string(ObjectiveType type);

// Growth of beta with the timestep k = 0..T-1 of kDdpm (diffusion/schedule.h).
enum class BetaSchedule {
  kLinear,
  kSquaredCosine,
  kScaledLinear,  // the square roots grow linearly
  kSigmoid,       // along a sigmoid of -6..6
  kTrained,       // listed
};

inline constexpr int64_t kMaxTimesteps = 100'000;
inline constexpr double kMaxBeta = 0.999;

// The network's prediction from x_t of kDdpm, with signal = sqrt(ab_t), noise = sqrt(1 - ab_t).
enum class PredictionType {
  kEpsilon,
  kSample,  // x0
  kV,       // signal * eps - noise * x0 (Salimans & Ho 2022)
};

// The time input of the network at timestep k of kDdpm.
enum class TimeInput {
  kFraction,  // (k + 1) / T
  kIndex,     // k
};

// Deviations of kConsistency: of the least and the most noise and of the images; rho is the form of
// the ramp between the first two.
struct Consistency {
  double sigma_min = 0.002, sigma_max = 80, sigma_data = 0.5;
  double rho = 7;

  friend bool operator==(const Consistency&, const Consistency&) = default;
};

// The objective with its settings; a type ignores the settings of the others.
struct Objective {
  ObjectiveType type = ObjectiveType::kDdpm;
  int64_t timesteps = 300;                        // kDdpm: T; kConsistency: of its ramp
  BetaSchedule schedule = BetaSchedule::kLinear;  // kDdpm
  double beta_start = 1e-4;                       // kDdpm, schedules with ends: beta of k = 0
  double beta_end = 0.02;                         // kDdpm, likewise: beta of k = T - 1
  std::vector<double> betas = {};                 // kDdpm, kTrained: [T]
  PredictionType prediction = PredictionType::kEpsilon;  // kDdpm
  TimeInput time_input = TimeInput::kFraction;           // kDdpm
  double sigma = 0.5;                                    // kDenoise
  Consistency consistency = {};                          // kConsistency
  DataRange data_range = DataRange::kZeroToOne;

  friend bool operator==(const Objective&, const Objective&) = default;
};

// The JSON object that a model file stores under "ebb.objective".
std::string to_json(const Objective& objective);

// Reads it back. FormatError names `where` (a file), the key and its value; a key that the type
// does not have is one, too.
Objective parse_objective(const std::string& json, const std::string& where);

// A schedule between beta_start and beta_end.
bool has_ends(BetaSchedule schedule);

// True when the network takes the time as an input.
bool takes_time(const Objective& objective);

}  // namespace ebb
