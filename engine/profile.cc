#include "engine/profile.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <utility>
#include <vector>

namespace ebb {
namespace {

template <typename Entries>
void append_table(std::ostringstream& out, const char* title, const Entries& entries) {
  using Row = std::pair<std::string, typename Entries::mapped_type>;
  std::vector<Row> rows(entries.begin(), entries.end());
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.second.seconds > b.second.seconds; });
  double total = 0;
  for (const Row& row : rows) total += row.second.seconds;
  out << std::left << std::setw(36) << title << std::right << std::setw(10) << "calls"
      << std::setw(14) << "total ms" << std::setw(9) << "share" << '\n';
  for (const auto& [name, entry] : rows) {
    out << std::left << std::setw(36) << name << std::right << std::setw(10) << entry.calls
        << std::setw(14) << std::fixed << std::setprecision(2) << entry.seconds * 1e3
        << std::setw(8) << std::setprecision(1) << (total > 0 ? 100 * entry.seconds / total : 0.0)
        << "%\n";
  }
}

}  // namespace

void Profiler::record(const char* kernel, const std::string& layer, double seconds) {
  for (Entry* entry : {&by_kernel_[kernel], &by_layer_[layer]}) {
    ++entry->calls;
    entry->seconds += seconds;
  }
}

std::string Profiler::table() const {
  std::ostringstream out;
  append_table(out, "kernel", by_kernel_);
  out << '\n';
  append_table(out, "layer", by_layer_);
  return out.str();
}

}  // namespace ebb
