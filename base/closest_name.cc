#include "base/closest_name.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

namespace ebb {
namespace {

constexpr size_t kShort = 3;     // letters: one mistake, above two
constexpr size_t kLongest = 40;  // letters of a name that is compared

// Its letters and digits in lower case.
std::string plain(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '-' || c == '_' || c == ' ') continue;
    result += c == '+' ? 'p' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

// Edits between a and b; an exchange of neighbors counts as one (optimal string alignment).
size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> edits(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) edits[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) edits[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = edits[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      edits[i][j] = std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

bool begin_alike(const std::string& text, const std::string& name) {
  if (text.size() >= 2 && name.starts_with(text)) return true;
  return name.size() >= kShort && text.starts_with(name);
}

// Its words in lower case.
std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text + ' ') {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || byte >= 0x80) {
      word += static_cast<char>(std::tolower(byte));
    } else if (!word.empty()) {
      words.insert(std::move(word));
      word.clear();
    }
  }
  return words;
}

}  // namespace

const std::string* same_name(const std::string& text, const std::vector<std::string>& names) {
  if (const auto same = std::find(names.begin(), names.end(), text); same != names.end()) {
    return &*same;
  }
  const std::string wanted = plain(text);
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const std::string& name) { return plain(name) == wanted; });
  return found == names.end() ? nullptr : &*found;
}

std::string closest_name(const std::string& text, const std::vector<std::string>& names) {
  const std::string wanted = plain(text);
  if (wanted.empty() || wanted.size() > kLongest) return "";
  const size_t most = wanted.size() <= kShort ? 1 : 2;
  size_t best_distance = most + 1;
  std::string best, alike;
  for (const std::string& name : names) {
    const std::string candidate = plain(name);
    if (candidate.empty() || candidate.size() > kLongest) continue;
    const size_t found = distance(wanted, candidate);
    if (found < std::min(best_distance, std::max(wanted.size(), candidate.size()))) {
      best_distance = found;
      best = name;
    }
    const bool is_shorter = alike.empty() || name.size() < alike.size();
    if (begin_alike(wanted, candidate) && is_shorter) alike = name;
  }
  return best.empty() ? alike : best;
}

std::vector<std::string> nearest_texts(const std::string& text,
                                       const std::vector<std::string>& texts, size_t count) {
  constexpr size_t kCompared = 200;  // letters
  const std::set<std::string> words = words_of(text);
  const std::string wanted = plain(text).substr(0, kCompared);
  std::vector<std::tuple<size_t, size_t, std::string>> ranked;  // other words, edits, text
  for (const std::string& other : texts) {
    if (other.empty()) continue;
    size_t shared = 0;
    for (const std::string& word : words_of(other)) shared += words.count(word);
    ranked.emplace_back(words.size() - shared, distance(wanted, plain(other).substr(0, kCompared)),
                        other);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> nearest;
  for (size_t i = 0; i < std::min(count, ranked.size()); ++i) {
    nearest.push_back(std::get<2>(ranked[i]));
  }
  return nearest;
}

std::string did_you_mean(const std::string& text, const std::vector<std::string>& names) {
  const std::string closest = closest_name(text, names);
  return closest.empty() ? "" : " Did you mean " + closest + "?";
}

}  // namespace ebb
