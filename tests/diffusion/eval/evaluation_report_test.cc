#include "diffusion/eval/evaluation_report.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "testing/catch.h"

namespace ebb {
namespace {

Report sample_report() {
  Report report;
  report.facts = {{"model", std::string("m\x1b.safetensors")}, {"seed", int64_t{7}}};
  report.tables.push_back(
      {.key = "rows",
       .title = "Some rows",
       .columns = {{"name", "name"}, {"mse", "MSE", 3}, {"share", "%", 1, true}},
       .rows = {{std::string("a"), 0.12345, 0.5},
                {std::string("long"), Cell(), 1.0},
                {std::string("nan"), std::numeric_limits<double>::quiet_NaN(), int64_t{3}}},
       .notes = {"a note"}});
  return report;
}

TEST_CASE("a report's text has aligned columns, rounded figures and its notes") {
  std::ostringstream out;
  print_text(out, sample_report());
  CHECK(out.str() ==
        "model  m\\x1b.safetensors\n"
        "seed   7\n"
        "\n"
        "Some rows\n"
        "  name     MSE       %\n"
        "  a      0.123    50.0\n"
        "  long       -   100.0\n"
        "  nan        -       3\n"
        "  a note\n");
}

TEST_CASE("a report's JSON has full precision and null for what is no number") {
  std::ostringstream out;
  print_json(out, sample_report());
  const auto json = nlohmann::json::parse(out.str());
  CHECK(json["seed"] == 7);
  CHECK(json["rows"][0]["mse"] == 0.12345);
  CHECK(json["rows"][0]["share"] == 0.5);
  CHECK(json["rows"][1]["mse"].is_null());
  CHECK(json["rows"][2]["mse"].is_null());
  CHECK(json["rows"][2]["share"] == 3);
  CHECK_FALSE(json.contains("a note"));
}

TEST_CASE("a path of other bytes than UTF-8 still gives valid JSON") {
  Report report;
  report.facts = {{"model", std::string("\xff.safetensors")}};
  std::ostringstream out;
  print_json(out, report);
  CHECK(nlohmann::json::parse(out.str())["model"] == "\xef\xbf\xbd.safetensors");
}

TEST_CASE("plots stand below one another") {
  Report report;
  CHECK_THROWS_AS(draw_plots(report), Error);
  report.plots.push_back({.title = "one", .series = {{"a", {0, 1}, {1, 2}}}});
  const Image one = draw_plots(report);
  CHECK(one == draw_loss_plot(report.plots[0]));
  report.plots.push_back({.title = "two", .series = {{"b", {0, 1}, {3, 2}}}});
  const Image two = draw_plots(report);
  CHECK(two.width == one.width);
  CHECK(two.height == 2 * one.height);
  CHECK(std::equal(one.pixels.begin(), one.pixels.end(), two.pixels.begin()));
}

}  // namespace
}  // namespace ebb
