#include "apps/cli/memory_size.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace ebb {

int64_t parse_memory_size(const std::string& text, const std::string& flag) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit;
  for (const char* c = end; c != text.data() + text.size(); ++c) {
    if (*c != ' ') unit += static_cast<char>(std::toupper(static_cast<unsigned char>(*c)));
  }
  const std::string units = "KMGT";
  size_t power = 0;
  if (!unit.empty() && units.find(unit[0]) != std::string::npos) {
    power = units.find(unit[0]) + 1;
    unit.erase(0, 1);
    if (unit == "IB") unit = "B";
  }
  const double bytes = number * std::pow(1024.0, static_cast<double>(power));
  const bool is_size = error == std::errc() && (unit.empty() || unit == "B") && bytes >= 1;
  EBB_CHECK(is_size && bytes < 0x1p60, UsageError, flag, " ", quoted(text),
            ": expected a size of memory, such as 8G or 800M");
  return static_cast<int64_t>(bytes);
}

}  // namespace ebb
