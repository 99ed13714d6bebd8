#include "apps/report/own_text.h"

#include <sstream>

#include "apps/report/html.h"
#include "base/closest_name.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// Pairs of `mark` in escaped text become elements; a lone one stays.
std::string marked(const std::string& text, char mark, const std::string& element) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t start = text.find(mark, at);
    const size_t end = start == std::string::npos ? start : text.find(mark, start + 1);
    if (end == std::string::npos) return result + text.substr(at);
    result += text.substr(at, start - at) +
              cat("<", element, ">", text.substr(start + 1, end - start - 1), "</", element, ">");
    at = end + 1;
  }
  return result;
}

std::string paragraph(const std::string& words) {
  return cat("<p>", marked(marked(escape_html(words), '`', "code"), '*', "em"), "</p>\n");
}

Section& section_of(std::vector<Part>& plan, const std::string& id, const std::string& where) {
  std::vector<std::string> known;
  for (Part& part : plan) {
    for (Section& section : part.sections) {
      if (section.id == id) return section;
      known.push_back(section.id);
    }
  }
  std::string names;
  for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
  throw UsageError(cat(where, ": no section ", quoted(terminal_safe(id)), ".",
                       did_you_mean(id, known), " Choose from ", names, "."));
}

}  // namespace

std::string use_own_text(const std::string& text, const std::string& label,
                         std::vector<Part>& plan) {
  std::string introduction, words, built_in;
  std::string* target = &introduction;
  const auto flush = [&] {
    if (!words.empty()) *target += paragraph(words);
    words.clear();
  };
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.starts_with("# ")) {
      flush();
      Section& section = section_of(plan, line.substr(2), cat("--text ", label, ": line ", number));
      built_in = section.text;
      section.text.clear();
      target = &section.text;
    } else if (line == "...") {
      flush();
      *target += built_in;
    } else if (line.empty()) {
      flush();
    } else {
      words += (words.empty() ? "" : " ") + line;
    }
  }
  flush();
  return introduction;
}

}  // namespace ebb
