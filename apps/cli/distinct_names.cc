#include "apps/cli/distinct_names.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;
using Parts = std::vector<std::string>;  // of a path, its ending left out

Parts parts_of(const std::string& path) {
  const fs::path whole = fs::path(path).lexically_normal().replace_extension();
  Parts parts;
  for (const fs::path& part : whole) {
    parts.push_back(part.string());
  }
  return parts;
}

size_t common_start(const Parts& a, const Parts& b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<size_t>(end - a.begin());
}

size_t common_end(const Parts& a, const Parts& b) {
  const auto end = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first;
  return static_cast<size_t>(end - a.rbegin());
}

// Names each path by its parts without those that all share at either end, or by its last part if
// nothing remains.
void name_group(const std::vector<Parts>& all, const std::vector<size_t>& group,
                std::vector<std::string>& names) {
  const Parts& first = all[group.front()];
  size_t start = first.size(), end = first.size();
  for (const size_t i : group) {
    start = std::min(start, common_start(first, all[i]));
    end = std::min(end, common_end(first, all[i]));
  }
  for (const size_t i : group) {
    const Parts& parts = all[i];
    const size_t stop = parts.size() - std::min(end, parts.size());
    std::string name;
    for (size_t k = start; k < stop; ++k) name += (name.empty() ? "" : "/") + parts[k];
    names[i] = name.empty() ? parts.back() : name;
  }
}

}  // namespace

std::vector<std::string> distinct_names(const std::vector<std::string>& paths) {
  std::vector<Parts> all;
  std::map<std::string, std::vector<size_t>> groups;  // by the last part
  for (size_t i = 0; i < paths.size(); ++i) {
    all.push_back(parts_of(paths[i]));
    if (all.back().empty()) all.back().push_back(paths[i]);
    groups[all.back().back()].push_back(i);
  }
  std::vector<std::string> names(paths.size());
  for (const auto& [name, group] : groups) {
    if (group.size() == 1) {
      names[group.front()] = name;
    } else {
      name_group(all, group, names);
    }
  }
  std::map<std::string, int> seen;
  for (std::string& name : names) {
    const int count = ++seen[name];
    name = terminal_safe(replace_invalid_utf8(name));
    if (count > 1) name += cat(" (", count, ")");
  }
  return names;
}

}  // namespace ebb
