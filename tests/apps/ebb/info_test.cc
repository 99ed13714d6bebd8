#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/cli/provenance.h"
#include "apps/ebb/commands.h"
#include "base/error.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// Output of `ebb info ...`.
std::string run_info(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  arguments.insert(arguments.begin(), {"ebb", "info"});
  run_command({.arguments = arguments, .out = out, .err = err});
  return out.str();
}

Provenance sample() {
  Provenance p;
  p.version = "0.1.0";
  p.argv = {"ebb", "sample", "-p", "a hill"};
  p.seeds = {5, 6};
  p.model = "mnist.safetensors";
  p.model_sha256 = "abcd";
  p.prompt = "a hill";
  return p;
}

TEST_CASE("info shows the command, the seeds and the model of an image") {
  const test::TempDir dir;
  TextChunks text = to_text_chunks(sample());
  text.push_back({"Comment", "two\nlines \x1b[31m"});
  write_png(dir / "x.png", make_image(12, 9, 3), text);
  const std::string output = run_info({dir / "x.png"});
  CHECK_THAT(output, Contains("12 x 9 pixels, 8-bit RGB"));
  CHECK_THAT(output, Contains("ebb sample -p 'a hill'\n"));
  CHECK_THAT(output, Contains("5 6\n") && Contains("mnist.safetensors\n") && Contains("abcd\n"));
  CHECK_THAT(output, Contains("Comment:\n  two\n  lines \\x1b[31m\n"));
  CHECK(output.find('\x1b') == std::string::npos);
}

TEST_CASE("info on an image of another program shows its text") {
  const test::TempDir dir;
  write_png(dir / "x.png", make_image(2, 2, 1), {{"parameters", "a cat\nSteps: 20"}});
  const std::string output = run_info({dir / "x.png"});
  CHECK_THAT(output, Contains("does not record an ebb command"));
  CHECK_THAT(output, Contains("parameters:\n  a cat\n  Steps: 20\n"));
}

TEST_CASE("info --json prints one object") {
  const test::TempDir dir;
  write_png(dir / "x.png", make_image(12, 9, 1), to_text_chunks(sample()));
  const nlohmann::json output = nlohmann::json::parse(run_info({"--json", dir / "x.png"}));
  CHECK(output["file"] == dir / "x.png");
  CHECK(output["width"] == 12);
  CHECK(output["height"] == 9);
  CHECK(output["color"] == "gray");
  CHECK(output["ebb"]["argv"] == nlohmann::json(sample().argv));
  CHECK(output["ebb"]["seeds"] == nlohmann::json(sample().seeds));
  REQUIRE(output["text"].size() == 1);
  CHECK(output["text"][0]["keyword"] == "parameters");
}

TEST_CASE("info names what is wrong with its file") {
  const test::TempDir dir;
  CHECK_THROWS_AS(run_info({dir / "none.png"}), IoError);
  test::put_file(dir / "x.png", "GIF89a");
  CHECK_THROWS_AS(run_info({dir / "x.png"}), FormatError);
  CHECK_THROWS_AS(run_info({}), UsageError);
}

}  // namespace
}  // namespace ebb
