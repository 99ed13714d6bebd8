#pragma once

#include <cstdint>
#include <string>

namespace ebb {

// What a network was trained to predict.
enum class ObjectiveType {
  kDdpm,       // the noise in x_t = sqrt(ab_t) x0 + sqrt(1 - ab_t) eps (Ho et al. 2020)
  kFlow,       // the velocity x1 - x0 at x_t = (1 - t) x0 + t x1, noise x0, data x1
  kDenoise,    // the image in x0 + sigma eps
  kPureNoise,  // the image given nothing but eps
  kClassify,   // the class of the image
};

const char* to_string(ObjectiveType type);  // "ddpm", "flow", "denoise", "pure_noise", "classify"

// The objective with its settings; a type ignores the settings of the others.
//
// kDdpm numbers its timesteps k = 0..timesteps-1 and tells the network t = (k + 1) / timesteps.
struct Objective {
  ObjectiveType type = ObjectiveType::kDdpm;
  int64_t timesteps = 300;   // kDdpm: T
  double beta_start = 1e-4;  // kDdpm: beta of k = 0, linear up to
  double beta_end = 0.02;    // kDdpm: beta of k = T - 1
  double sigma = 0.5;        // kDenoise

  friend bool operator==(const Objective&, const Objective&) = default;
};

// The JSON object that a model file stores under "ebb.objective".
std::string to_json(const Objective& objective);

// Reads it back. FormatError names `where` (a file), the key and its value.
Objective parse_objective(const std::string& json, const std::string& where);

// True when the objective tells the network the time.
bool takes_time(const Objective& objective);

}  // namespace ebb
