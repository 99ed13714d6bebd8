#include "apps/report/result_tables.h"

#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/json.h"

namespace ebb {
namespace {

// The form in which a figure that `ebb eval` and others name is written on the page.
struct Column {
  const char* title;
  int decimals = 0;
  bool percent = false;
};

const std::map<std::string, Column>& columns() {
  static const std::map<std::string, Column> known = {
      {"images", {"images"}},
      {"steps", {"steps"}},
      {"guidance", {"guidance", 1}},
      {"accuracy", {"read right, %", 1, true}},
      {"frechet", {"Fr\u00e9chet distance", 2}},
      {"rarest_share", {"rarest digit, %", 1, true}},
      {"commonest_share", {"commonest, %", 1, true}},
      {"nearest", {"nearest training digit", 2}},
      {"near_share", {"very near, %", 1, true}},
      {"by", {"by"}},
      {"trials", {"noise levels"}},
      {"level", {"time"}},
      {"kernel", {"kernel"}},
      {"sigma", {"\u03c3", 2}},
      {"mse", {"squared error", 5}},
      {"noisy_mse", {"of the noisy one", 5}},
      {"figure", {"compared with"}},
  };
  return known;
}

std::string title_of(const std::string& key) {
  const auto found = columns().find(key);
  if (found != columns().end()) return found->second.title;
  return key.starts_with("digit_") ? key.substr(6) : key;
}

std::string text_of(const std::string& key, const Json& value) {
  if (value.is_null()) return "\u2013";
  if (value.is_string()) {
    // "t = 250" stays on one line.
    std::string text = value.get<std::string>();
    for (size_t at = 0; key == "level" && (at = text.find(' ', at)) != std::string::npos;) {
      text.replace(at, 1, "\u00a0");
    }
    return text;
  }
  if (value.type() != Json::Type::kFloat) return value.dump();
  const auto found = columns().find(key);
  const Column column = found == columns().end() ? Column{"", 3} : found->second;
  std::ostringstream out;
  out << std::fixed << std::setprecision(column.decimals)
      << (column.percent ? 100 * value.get<double>() : value.get<double>());
  return out.str();
}

// An array of objects with the same keys.
ResultTable table_of(const std::string& title, const Json& rows) {
  ResultTable table{.title = title, .columns = {}, .rows = {}};
  std::vector<std::string> keys;
  for (const auto& [key, value] : rows[0].items()) keys.push_back(key);
  for (const std::string& key : keys) table.columns.push_back(title_of(key));
  for (const Json& row : rows) {
    table.rows.emplace_back();
    for (const std::string& key : keys) {
      table.rows.back().push_back(text_of(key, row[key]));
    }
  }
  return table;
}

ResultTable classified(const Json& rows) {
  ResultTable table{.title = "", .columns = {"seen", "meant", "read as that by the classifier"}};
  for (const Json& row : rows) {
    const auto right = row.value("right", int64_t{0}), images = row.value("images", int64_t{1});
    table.rows.push_back(
        {row.value("what", ""), std::to_string(row.value("expected", int64_t{0})),
         cat(right, " of ", images, " (", std::llround(100.0 * right / images), " %)")});
  }
  return table;
}

}  // namespace

std::vector<ResultTable> result_tables(const std::string& json) {
  const Json all = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(all.is_object(), Error, "result_tables: not a JSON object");
  const auto rows = [&](const char* key) { return all.value(key, Json::array()); };
  std::vector<ResultTable> tables;
  if (!rows("classified").empty()) tables.push_back(classified(rows("classified")));
  if (all.contains("known_pixels")) {
    const Json& known = all["known_pixels"];
    tables.push_back(
        {"",
         {"known pixels", "of", "changed"},
         {{known.value("known", Json()).dump(), known.value("of", Json()).dump(), "0"}}});
  }
  const std::pair<const char*, const char*> titled[] = {
      {"blurs", ""},
      {"samples", "Generated digits, read by the classifier"},
      {"digits", "How often the classifier reads each digit"},
      {"classifier", "Test images classified"},
      {"pure_noise", "Outputs for pure noise"}};
  for (const auto& [key, title] : titled) {
    if (!rows(key).empty()) tables.push_back(table_of(title, rows(key)));
  }
  return tables;
}

}  // namespace ebb
