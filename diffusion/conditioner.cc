#include "diffusion/conditioner.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include "base/closest_name.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr std::array kDigits = {"zero", "one", "two",   "three", "four",
                                "five", "six", "seven", "eight", "nine"};

// -1 for a word that names no number.
int64_t number_of(const std::string& word) {
  for (size_t digit = 0; digit < kDigits.size(); ++digit) {
    if (word == kDigits[digit]) return static_cast<int64_t>(digit);
  }
  constexpr size_t kLongest = 6;
  const bool is_number = !word.empty() && word.size() <= kLongest &&
                         word.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? std::stoll(word) : -1;
}

}  // namespace

TensorMap Conditioner::encode(std::span<const std::string> prompts) {
  std::vector<int64_t> conditions;
  for (const std::string& prompt : prompts) conditions.push_back(find(prompt, "prompt"));
  return encode(conditions);
}

int64_t class_count(const Network& network) {
  const auto is_condition = [](const NetworkInput& input) {
    return input.role == InputRole::kCondition || input.role == InputRole::kLowRes;
  };
  const auto conditions = std::count_if(network.inputs.begin(), network.inputs.end(), is_condition);
  const NetworkInput* input = network.input(InputRole::kCondition);
  return conditions == 1 && input != nullptr ? input->classes : 0;
}

Tensor one_hot(Context& context, std::span<const int64_t> labels, int64_t classes) {
  std::vector<float> rows(labels.size() * static_cast<size_t>(classes), 0.0f);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != kNoClass) rows[i * static_cast<size_t>(classes) + labels[i]] = 1;
  }
  return Tensor::from_host(context, {static_cast<int64_t>(labels.size()), classes},
                           std::span<const float>(rows));
}

std::optional<int64_t> class_of_prompt(const std::string& prompt) {
  std::optional<int64_t> found;
  std::string word;
  for (const char c : prompt + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    const int64_t number = number_of(word);
    word.clear();
    if (number < 0) continue;
    if (found) return std::nullopt;
    found = number;
  }
  return found;
}

std::string suggest_digit(const std::string& prompt) {
  const std::vector<std::string> names(kDigits.begin(), kDigits.end());
  std::istringstream words(prompt);
  for (std::string word; words >> word;) {
    const std::string suggestion = did_you_mean(word, names);
    if (!suggestion.empty()) return "." + suggestion;
  }
  return "";
}

std::unique_ptr<Conditioner> make_conditioner(Context& context, const Network& network,
                                              const std::string& model) {
  const NetworkInput* input = network.input(InputRole::kCondition);
  if (input == nullptr) return nullptr;
  EBB_CHECK(class_count(network) > 0, UsageError, model, ": is conditioned on ", input->name, " ",
            input->shape, ", expected a class.");
  return std::make_unique<ClassConditioner>(context, network, model);
}

ClassConditioner::ClassConditioner(Context& context, const Network& network,
                                   const std::string& model)
    : context_(context), model_(model), classes_(class_count(network)) {
  EBB_CHECK(classes_ > 0, Error, "ClassConditioner: ", model, " takes no class");
  const NetworkInput& input = *network.input(InputRole::kCondition);
  input_ = input.name;
  takes_ids_ = input.dtype == DType::kI32;
}

int64_t ClassConditioner::find(const std::string& prompt, const std::string& flag) {
  if (prompt.empty()) return kNoClass;
  const std::optional<int64_t> found = class_of_prompt(prompt);
  EBB_CHECK(found && *found < classes_, UsageError, flag, " ", terminal_safe(prompt),
            ": must name one of the classes 0..", classes_ - 1, " of ", model_,
            ", such as 7, seven or 'a photo of a seven'", suggest_digit(prompt));
  return *found;
}

std::string ClassConditioner::text(int64_t condition) const {
  return condition == kNoClass ? "" : cat("class ", condition);
}

TensorMap ClassConditioner::encode(std::span<const int64_t> conditions) {
  if (!takes_ids_) return {{input_, one_hot(context_, conditions, classes_)}};
  std::vector<int32_t> ids;
  for (const int64_t condition : conditions) {
    EBB_CHECK(condition != kNoClass, UsageError, model_, ": makes images of one of its classes 0..",
              classes_ - 1, ", never without. Choose one.");
    ids.push_back(static_cast<int32_t>(condition));
  }
  return {{input_, Tensor::from_host(context_, {static_cast<int64_t>(ids.size())},
                                     std::span<const int32_t>(ids))}};
}

Guidance guidance_by(Conditioner& conditioner, std::span<const int64_t> conditions, double scale,
                     int64_t negative) {
  const auto is_same = [&](int64_t condition) { return condition == conditions.front(); };
  const bool all_same = std::all_of(conditions.begin(), conditions.end(), is_same);
  // One for all is stored once.
  const std::span<const int64_t> different = all_same ? conditions.first(1) : conditions;
  const TensorMap wanted = conditioner.encode(different);
  const bool leads_nowhere = all_same && conditions.front() == negative;
  if (scale == 1 || leads_nowhere) return conditioned(wanted);
  return guided(wanted, conditioner.encode(std::array{negative}), scale);
}

Guidance class_guidance(Context& context, const Network& network, std::span<const int64_t> labels,
                        double cfg_scale) {
  if (class_count(network) == 0) return {GuidanceTerm{}};
  ClassConditioner conditioner(context, network, "the network");
  return guidance_by(conditioner, labels, conditioner.has_none() ? cfg_scale : 1);
}

}  // namespace ebb
