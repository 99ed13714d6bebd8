#include "apps/cli/provenance.h"

#include "apps/cli/canonical_command.h"
#include "base/error.h"
#include "diffusion/sampler.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

Provenance sample() {
  Provenance p;
  p.version = "0.1.0";
  p.build = "575dc31+";
  p.argv = {"ebb", "sample", "--class", "3", "-p", "ein H\xC3\xBCgel", "-o", "out_%03d.png"};
  p.seeds = {7, 18446744073709551615ull};
  p.inputs = {{"H\xC3\xBCgel.jpg", "ab12"}, {"mask.png", "cd34"}};
  p.model = "weights/pretrained/mnist-class.safetensors";
  p.model_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  p.prompt = "ein H\xC3\xBCgel";
  p.negative_prompt = "gray";
  p.sampler = "ddpm";
  p.steps = 300;
  p.cfg_scale = 4.7;
  p.denoising_strength = 0.69;
  p.width = 28;
  p.height = 30;
  p.device = "cuda:0";
  p.dtype = "f32";
  p.rng = "philox";
  return p;
}

TEST_CASE("provenance comes back from a PNG with every field") {
  const test::TempDir dir;
  write_png(dir / "x.png", make_image(28, 30, 1), to_text_chunks(sample()));
  const auto read = parse_provenance(read_png_text(dir / "x.png"), "x.png");
  REQUIRE(read.has_value());
  CHECK(*read == sample());
}

TEST_CASE("each field makes a difference") {
  const Provenance base = sample();
  const auto changed = [&](auto change) {
    Provenance p = base;
    change(p);
    const auto read = parse_provenance(to_text_chunks(p), "x.png");
    return read == p && !(*read == base);
  };
  CHECK(changed([](Provenance& p) { p.version += "x"; }));
  CHECK(changed([](Provenance& p) { p.build += "x"; }));
  CHECK(changed([](Provenance& p) { p.argv.push_back("x"); }));
  CHECK(changed([](Provenance& p) { p.seeds[1] = 0; }));
  CHECK(changed([](Provenance& p) { p.inputs[1].path += "x"; }));
  CHECK(changed([](Provenance& p) { p.inputs[0].sha256 += "x"; }));
  CHECK(changed([](Provenance& p) { p.inputs.pop_back(); }));
  CHECK(changed([](Provenance& p) { p.image = 3; }));
  CHECK(changed([](Provenance& p) { p.model += "x"; }));
  CHECK(changed([](Provenance& p) { p.model_sha256 += "x"; }));
  CHECK(changed([](Provenance& p) { p.prompt += "x"; }));
  CHECK(changed([](Provenance& p) { p.negative_prompt += "x"; }));
  CHECK(changed([](Provenance& p) { p.sampler += "x"; }));
  CHECK(changed([](Provenance& p) { p.steps = 1; }));
  CHECK(changed([](Provenance& p) { p.cfg_scale = 0.1; }));
  CHECK(changed([](Provenance& p) { p.denoising_strength = 0.5; }));
  CHECK(changed([](Provenance& p) { p.width = 1; }));
  CHECK(changed([](Provenance& p) { p.height = 1; }));
  CHECK(changed([](Provenance& p) { p.device += "x"; }));
  CHECK(changed([](Provenance& p) { p.dtype += "x"; }));
  CHECK(changed([](Provenance& p) { p.rng += "x"; }));
}

TEST_CASE("the parameters text has the form that other programs read") {
  const TextChunks chunks = to_text_chunks(sample());
  REQUIRE(find_text(chunks, "parameters") != nullptr);
  CHECK(*find_text(chunks, "parameters") ==
        "ein H\xC3\xBCgel\n"
        "Negative prompt: gray\n"
        "Steps: 300, Sampler: DDPM, CFG scale: 4.7, Seed: 7, Size: 28x30, "
        "Denoising strength: 0.69, RNG: Philox, Model hash: 0123456789, "
        "Model: mnist-class, Version: ebb 0.1.0");
}

TEST_CASE("samplers have the names that other programs know") {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"ddpm", "DDPM"},   {"ddim", "DDIM"}, {"dpm++", "DPM++ 2M"},
      {"euler", "Euler"}, {"heun", "Heun"}, {"consistency", "Consistency"}};
  CHECK(names.size() == sampler_names().size());
  for (const auto& [name, title] : names) {
    Provenance p = sample();
    p.sampler = name;
    CHECK_THAT(to_text_chunks(p)[0].text, Contains("Sampler: " + title + ","));
    CHECK(parse_provenance(to_text_chunks(p), "x.png")->sampler == name);
  }
}

TEST_CASE("what nothing was sampled for has the three pairs that make it settings") {
  Provenance p;
  p.version = "0.1.0";
  p.argv = {"ebb", "test-image", "tower"};
  p.width = p.height = 200;
  CHECK(to_text_chunks(p)[0].text == "Size: 200x200, Version: ebb 0.1.0, Command: test-image");
}

TEST_CASE("the canonical command has no path of the program and no flag that changes no pixel") {
  using Words = std::vector<std::string>;
  const Words plain = {"ebb", "sample", "--class", "3", "-b", "2"};
  const std::vector<Words> same = {
      {"/opt/bin/ebb", "sample", "--class", "3", "-b", "2"},
      {"ebb", "sample", "-o", "x.png", "--class", "3", "-b", "2"},
      {"ebb", "sample", "-ox.png", "--class", "3", "-b", "2"},
      {"ebb", "sample", "--output", "x.png", "--class", "3", "-b", "2"},
      {"ebb", "sample", "--output=x.png", "--class", "3", "-b", "2"},
      {"ebb", "sample", "--class", "3", "--force", "-b", "2", "--json", "--profile"},
      {"ebb", "sample", "--threads", "4", "--class", "3", "-b", "2", "--threads=1"},
      {"ebb", "sample", "--batch_size", "4", "--class", "3", "--batch-size=9", "-b", "2"},
      {"ebb", "sample", "--class", "3", "-b", "2", "--progress", "none", "-o", "-"},
  };
  for (const Words& command : same) CHECK(canonical_command(command) == plain);
  const Words kept = {"ebb", "edit", "-i", "--force.png", "--grid", "--gif", "a.gif", "-s=4"};
  CHECK(canonical_command(kept) == kept);
  const Words behind = {"ebb", "plot", "--", "-o", "--force"};
  CHECK(canonical_command(behind) == behind);
  CHECK(canonical_command({"ebb", "sample", "-o"}) == Words{"ebb", "sample"});
  CHECK(canonical_command({}) == Words{"ebb"});
}

TEST_CASE("the parameters text leaves out what is unknown and quotes separators") {
  Provenance p;
  p.version = "0.1.0";
  p.sampler = "a, b";
  CHECK(to_text_chunks(p)[0].text == "Sampler: \"a, b\", Version: ebb 0.1.0");
}

TEST_CASE("bytes that are not UTF-8 are replaced, so that an image can always be written") {
  Provenance p = sample();
  p.argv = {"ebb", "-o", "\xFFx.png"};
  p.prompt = "\xC3";
  p.inputs[0].path = "\xFF.png";
  const TextChunks chunks = to_text_chunks(p);
  CHECK_NOTHROW(encode_png(make_image(1, 1, 1), chunks));
  const auto read = parse_provenance(chunks, "x.png");
  REQUIRE(read.has_value());
  CHECK(read->argv[2] == "\xEF\xBF\xBDx.png");
  CHECK(read->prompt == "\xEF\xBF\xBD");
  CHECK(read->inputs[0].path == "\xEF\xBF\xBD.png");
}

TEST_CASE("an image of another program has no provenance") {
  CHECK_FALSE(parse_provenance({}, "x.png").has_value());
  CHECK_FALSE(parse_provenance({{"parameters", "Steps: 20"}}, "x.png").has_value());
}

TEST_CASE("fields of later versions are ignored and missing ones keep their defaults") {
  const auto read = parse_provenance({{"ebb", R"({"seeds":[5],"later":{"x":[1]}})"}}, "x.png");
  REQUIRE(read.has_value());
  CHECK(read->seeds == std::vector<uint64_t>{5});
  CHECK(read->cfg_scale == 1);
  CHECK(read->argv.empty());
}

TEST_CASE("an ebb text of the wrong form is refused with the field's name") {
  const auto error = [](const char* text) -> std::string {
    try {
      parse_provenance({{"ebb", text}}, "x.png");
      return "";
    } catch (const FormatError& e) {
      return e.what();
    }
  };
  REQUIRE(error("{}").empty());
  CHECK_THAT(error(""), Contains("x.png: ") && Contains("not a JSON object"));
  CHECK_THAT(error("{"), Contains("not a JSON object"));
  CHECK_THAT(error("[]"), Contains("not a JSON object"));
  CHECK_THAT(error(R"({"argv":"ebb"})"), Contains("argv is string, expected an array of strings"));
  CHECK_THAT(error(R"({"argv":["ebb",1]})"), Contains("argv"));
  CHECK_THAT(error(R"({"seeds":[-1]})"), Contains("seeds"));
  CHECK_THAT(error(R"({"seeds":[1.5]})"), Contains("seeds"));
  CHECK_THAT(error(R"({"inputs":["a.png"]})"),
             Contains("inputs is array, expected an array of files"));
  CHECK_THAT(error(R"({"inputs":[{"path":"a.png"}]})"), Contains("inputs"));
  CHECK_THAT(error(R"({"steps":1e3})"), Contains("steps is number, expected a whole number"));
  CHECK_THAT(error(R"({"steps":4294967296})"), Contains("steps"));
  CHECK_THAT(error(R"({"cfg_scale":"7"})"), Contains("cfg_scale"));
  CHECK_THAT(error(R"({"prompt":null})"), Contains("prompt is null"));
  CHECK_THAT(error((std::string(200000, '[') + std::string(200000, ']')).c_str()),
             Contains("not a JSON object"));
}

TEST_CASE("a command is quoted so that a shell gives the same arguments back") {
  CHECK(shell_command({"ebb", "sample", "-o", "out_%03d.png"}) == "ebb sample -o out_%03d.png");
  CHECK(shell_command({"a b", "", "$x", "*", "~"}) == "'a b' '' '$x' '*' '~'");
  CHECK(shell_command({"it's"}) == "$'it\\'s'");
  CHECK(shell_command({"a\\b"}) == "$'a\\\\b'");
  CHECK(shell_command({"line\nbreak\x1b[31m7"}) == "$'line\\012break\\033[31m7'");
  CHECK(shell_command({"H\xC3\xBCgel 日本"}) == "'H\xC3\xBCgel 日本'");
  CHECK(shell_command({"\xFF\xE2\x80\xAE"}) == "$'\\377\\342\\200\\256'");
}

}  // namespace
}  // namespace ebb
