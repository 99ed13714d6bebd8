#include <set>
#include <string_view>

#include "apps/report/html.h"
#include "apps/report/math.h"
#include "apps/report/page.h"
#include "apps/report/plan.h"
#include "apps/report/result_tables.h"
#include "base/error.h"
#include "image/test_images.h"
#include "testing/catch.h"

using namespace ebb;

namespace {

std::string base64_of(std::string_view text) {
  return base64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

double mean_of_square(const Image& image, int left, int top, int side) {
  double sum = 0;
  for (int y = top; y < top + side; ++y) {
    for (int x = left; x < left + side; ++x) {
      sum += image.pixels[(static_cast<size_t>(y) * image.width + x) * 3];
    }
  }
  return sum / (side * side);
}

}  // namespace

TEST_CASE("base64 gives the examples of RFC 4648") {
  CHECK(base64_of("") == "");
  CHECK(base64_of("f") == "Zg==");
  CHECK(base64_of("fo") == "Zm8=");
  CHECK(base64_of("foo") == "Zm9v");
  CHECK(base64_of("foobar") == "Zm9vYmFy");
  CHECK(base64_of("\xff\xfe\xfd") == "//79");
}

TEST_CASE("text cannot become markup") {
  CHECK(escape_html("<b title=\"a&b\">") == "&lt;b title=&quot;a&amp;b&quot;&gt;");
}

TEST_CASE("a token of a formula is a number, an identifier or an operator") {
  CHECK(Math("2").xml == "<mn>2</mn>");
  CHECK(Math("x").xml == "<mi>x</mi>");
  CHECK(Math("\u03b5").xml == "<mi>\u03b5</mi>");
  CHECK(Math("\u2212").xml == "<mo>\u2212</mo>");
  CHECK(root("1", "\u2212", sub("a", "t")).xml ==
        "<msqrt><mrow><mn>1</mn><mo>\u2212</mo><msub><mi>a</mi><mi>t</mi></msub></mrow></msqrt>");
}

TEST_CASE("ids of sections and figures are unique and inputs exist") {
  std::set<std::string> ids, figures;
  const std::vector<Part> plan = report_plan({.directory = "out"});
  for (const Part& part : plan) {
    for (const Section& section : part.sections) {
      CHECK(ids.insert(section.id).second);
      for (const Figure& figure : section.figures) {
        CHECK(figures.insert(figure.id).second);
        CHECK_FALSE(figure.alt.empty());
      }
    }
  }
  for (const Part& part : plan) {
    for (const Section& section : part.sections) {
      for (const Figure& figure : section.figures) {
        for (const std::string& input : figure.inputs) CHECK(figures.contains(input));
      }
    }
  }
}

TEST_CASE("photos are bright in the middle of a dark ground, as digits are") {
  for (const char* name : {"tower", "snowman"}) {
    INFO(name);
    const Image photo = draw_test_image(name);
    REQUIRE(photo.width == kTestImageSide);
    REQUIRE(photo.channels == 3);
    CHECK(mean_of_square(photo, 116, 150, 24) > 150);
    CHECK(mean_of_square(photo, 8, 60, 24) < 60);
  }
}

TEST_CASE("the mask is white in its middle half and black around it") {
  const Image mask = draw_test_image("mask");
  CHECK(mean_of_square(mask, 64, 64, 128) == 255);
  CHECK(mean_of_square(mask, 0, 0, 64) == 0);
  CHECK(mean_of_square(mask, 192, 192, 64) == 0);
}

TEST_CASE("an unknown drawing is a usage error") {
  CHECK_THROWS_AS(draw_test_image("moon"), UsageError);
}

TEST_CASE("a figure whose model is missing becomes a box, and the rest stays a page") {
  const Figure figure{.id = "f", .command = {}, .alt = "A <image>", .model = "mnist-time"};
  const std::vector<Part> plan{
      {.title = "Part", .text = "", .sections = {{.id = "s", .title = "S", .figures = {figure}}}}};
  MadeFigure made;
  made.problem = "no model";
  made.remedy = "train_mnist --model time";
  const std::string page = render_page(plan, {{"f", made}}, {.facts = {{"Seed", "1"}}});
  CHECK(page.find("class=\"missing\"") != std::string::npos);
  CHECK(page.find("A &lt;image&gt;") != std::string::npos);
  CHECK(page.find("<span>train_mnist</span> <span>--model</span>") != std::string::npos);
  CHECK(page.find("<figure") == std::string::npos);
  CHECK(page.ends_with("</html>\n"));
}

TEST_CASE("results become tables without paths, times and digests") {
  const std::vector<ResultTable> tables = result_tables(
      R"({"model": "models/m.safetensors", "seconds": {"load": 1},
          "classified": [{"what": "flip", "expected": 5, "right": 9, "images": 10}],
          "samples": [{"images": "ddim", "steps": 20, "accuracy": 0.985, "frechet": null}]})");
  REQUIRE(tables.size() == 2);
  CHECK(tables[0].rows == std::vector<std::vector<std::string>>{{"flip", "5", "9 of 10 (90 %)"}});
  CHECK(tables[1].columns[2] == "read right, %");
  CHECK(tables[1].rows[0] == std::vector<std::string>{"ddim", "20", "98.5", "\u2013"});
}

TEST_CASE("words of a command stay whole") {
  CHECK(whole_words("ebb sample --grid-cols 5") ==
        "<span>ebb</span> <span>sample</span> <span>--grid-cols</span> <span>5</span>");
}
