#include "apps/ebb/class_list.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "apps/ebb/sample_flags.h"
#include "base/error.h"
#include "base/text.h"
#include "diffusion/conditioner.h"

namespace ebb {
namespace {

// `word` of the value `text` of --class.
int64_t parse_class(const std::string& word, const std::string& text) {
  if (word == kNoneOfClasses) return kNoClass;
  const bool is_word = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalpha(c) != 0;
  });
  if (const auto named = class_of_prompt(word); is_word && named) return *named;
  int64_t label = -1;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, label);
  EBB_CHECK(error == std::errc() && rest == end && label >= 0, UsageError, "--class ",
            terminal_safe(text), ": must be all, none, or numbers or names of classes, from 0",
            suggest_digit(word));
  return label;
}

}  // namespace

std::vector<int64_t> parse_classes(const std::string& text) {
  std::vector<int64_t> labels;
  for (const std::string& word : split_list(text)) labels.push_back(parse_class(word, text));
  return labels;
}

}  // namespace ebb
