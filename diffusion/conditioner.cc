#include "diffusion/conditioner.h"

#include <algorithm>
#include <array>
#include <cctype>

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

int64_t class_count(const Network& network) {
  const NetworkInput* input = condition_input(network);
  return input != nullptr && input->shape.rank() == 1 ? input->shape[0] : 0;
}

Tensor one_hot(Context& context, std::span<const int64_t> labels, int64_t classes) {
  std::vector<float> rows(labels.size() * static_cast<size_t>(classes), 0.0f);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != kNoClass) rows[i * static_cast<size_t>(classes) + labels[i]] = 1;
  }
  return Tensor::from_host(context, {static_cast<int64_t>(labels.size()), classes},
                           std::span<const float>(rows));
}

Guidance class_guidance(Context& context, const Network& network, std::span<const int64_t> labels,
                        double cfg_scale) {
  const int64_t classes = class_count(network);
  if (classes == 0) return {GuidanceTerm{}};
  const std::array none = {kNoClass};
  const bool any =
      std::any_of(labels.begin(), labels.end(), [](int64_t l) { return l != kNoClass; });
  if (!any) return conditioned(one_hot(context, none, classes));  // nothing to guide to
  return guided(one_hot(context, labels, classes), one_hot(context, none, classes), cfg_scale);
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

}  // namespace ebb
