#include "apps/report/plan.h"

#include <map>

#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {

std::string training_commands(const std::string& model) {
  static const std::map<std::string, std::string> kFlags = {
      {"mnist-denoiser", "--model denoiser"},
      {"mnist-time", "--model time"},
      {"mnist-class", "--model class"},
      {"mnist-classifier", "--model classifier"},
      {"mnist-class-flow", "--model class --objective flow"},
  };
  const auto flags = kFlags.find(model);
  if (flags == kFlags.end()) return "train_mnist --help";
  const std::string run = "runs/" + model;
  return cat("train_mnist ", flags->second, " -o ", run, " && ebb convert ", run,
             "/model.safetensors --dtype f16 -o weights/pretrained/", model, ".safetensors");
}

std::vector<Part> report_plan(const ReportSettings& settings) {
  return {images_part(settings), applications_part(settings), training_part(settings)};
}

}  // namespace ebb
