#include "apps/emoji/emoji_captions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/error.h"
#include "weights/digest.h"

namespace ebb {
namespace {

// By Emoji::code(). The first phrase replaces the name.
const std::map<std::string, std::vector<std::string>, std::less<>>& phrases_of_assignment() {
  static const std::map<std::string, std::vector<std::string>, std::less<>> phrases = {
      {"1f680", {"a rocket", "a rocket ship"}},
      {"1f3d4", {"a snow-capped mountain", "a snowy mountain", "a snowy mountain village"}},
      {"1f40d", {"a snake"}},
      {"1f415", {"a dog"}},
      {"1f436", {"the face of a dog", "a dog"}},
      {"1f480", {"a skull"}},
      {"1f474", {"an old man", "the face of an old man"}},
      {"1f3d5", {"people around a campfire", "a campfire", "camping", "a tent and a campfire"}},
      {"1f525", {"a fire", "fire"}},
      {"270f", {"a pencil"}},
      {"1f43b", {"a bear", "the face of a bear"}},
      {"1f4da", {"books", "a stack of books"}},
      {"1f303", {"a city at night", "a night with stars", "a city under the stars"}},
      {"1f306", {"a city at dusk", "a cityscape at dusk"}},
      {"1f920", {"a man wearing a hat", "a man with a hat", "a face with a cowboy hat"}},
      {"1f30a", {"a wave", "waterfalls", "a water wave"}},
      {"1f3d6", {"a beach", "a beach with an umbrella", "the amalfi coast"}},
      {"1f9d4", {"a man with a beard", "a hipster", "a hipster barista"}},
      {"1f468", {"a man"}},
      {"1f469", {"a woman"}},
  };
  return phrases;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [&](std::string_view end) { return text.ends_with(end); });
}

// Names of several things, or of what is not counted.
bool takes_no_article(std::string_view name) {
  static constexpr std::array kUncounted = {
      "camping",  "bread",  "bacon", "fog",    "cooked rice", "spaghetti", "sushi",
      "rice",     "ice",    "honey", "butter", "salt",        "beans",     "popcorn",
      "broccoli", "garlic", "money", "hair",   "lacrosse",    "wrestling"};
  if (std::find(kUncounted.begin(), kUncounted.end(), name) != kUncounted.end()) return true;
  if (starts_with_any(name, {"people ", "men ", "women ", "two ", "the "})) return true;
  // The head of "books on a shelf" and "mouse with ears" is before the first preposition.
  std::string_view head = name;
  for (const std::string_view word : {" with ", " on ", " in ", " of ", " at ", ", ", ": "}) {
    head = head.substr(0, head.find(word));
  }
  const bool is_plural =
      head.ends_with('s') &&
      !ends_with_any(head, {"ss", "us", "is", "as", "lens", "series", "os", "ous"});
  return is_plural;
}

std::string with_article(const std::string& name) {
  if (takes_no_article(name)) return name;
  const char first = static_cast<char>(std::tolower(static_cast<unsigned char>(name.front())));
  const bool is_vowel = std::string_view("aeio8").find(first) != std::string_view::npos;
  // "a unicorn", "a euro": spoken with the sound of y.
  const bool is_umbrella = first == 'u' && !starts_with_any(name, {"uni", "uk", "uti", "use"});
  const bool sounds_open = (is_vowel || is_umbrella) && !starts_with_any(name, {"one", "euro"});
  return (sounds_open ? "an " : "a ") + name;
}

// "woman: beard" -> "woman with a beard", "family: man, boy" -> "family of man, boy".
std::string without_colon(const std::string& name) {
  const size_t colon = name.find(": ");
  if (colon == std::string::npos) return name;
  const std::string head = name.substr(0, colon), rest = name.substr(colon + 2);
  if (rest == "bald") return "bald " + head;
  if (rest == "beard") return head + " with a beard";
  if (rest.ends_with(" hair")) return head + " with " + rest;
  return head + " of " + rest;
}

}  // namespace

bool is_of_assignment(const Emoji& emoji) { return phrases_of_assignment().contains(emoji.code()); }

std::vector<std::string> subject_phrases(const Emoji& emoji) {
  const auto found = phrases_of_assignment().find(emoji.code());
  if (found != phrases_of_assignment().end()) return found->second;
  return {with_article(without_colon(emoji.name))};
}

std::vector<std::string> captions(const Emoji& emoji, std::string_view style) {
  constexpr size_t kKeywords = 3;
  const std::string start = cat(with_article(std::string(style)), " of ");
  std::vector<std::string> result;
  for (const std::string& phrase : subject_phrases(emoji)) result.push_back(start + phrase);
  std::string longer = result.front();
  size_t added = 0;
  for (const std::string& word : emoji.keywords) {
    if (added == kKeywords || longer.find(word) != std::string::npos) continue;
    longer += ", " + word;
    ++added;
  }
  if (added > 0) result.push_back(longer);
  // A photo needs no word for its style.
  if (style == "photo") result.push_back(subject_phrases(emoji).front());
  return result;
}

bool is_held_out(const Emoji& emoji, std::string_view style) {
  constexpr uint32_t kOneIn = 20;
  if (is_of_assignment(emoji)) return false;
  const std::string pair = cat(emoji.code(), " ", style);
  const std::string digest = sha256_hex(pair.data(), pair.size());
  uint32_t number = 0;
  constexpr size_t kDigits = 8;
  std::from_chars(digest.data(), digest.data() + kDigits, number, 16);
  return number % kOneIn == 0;
}

}  // namespace ebb
