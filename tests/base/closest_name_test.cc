#include "base/closest_name.h"

#include "testing/catch.h"

namespace ebb {
namespace {

using Names = std::vector<std::string>;

const Names kCommands = {"sample", "edit", "inpaint", "info", "inspect", "plot"};
const Names kModels = {"mnist-class", "mnist-class-flow", "mnist-time"};

TEST_CASE("a name is meant whatever its case, dashes, blanks and plus signs") {
  const Names names = {"rotate_180", "dpm++", "flip"};
  REQUIRE(same_name("rotate180", names) != nullptr);
  CHECK(*same_name("rotate180", names) == "rotate_180");
  CHECK(*same_name("Rotate-180", names) == "rotate_180");
  CHECK(*same_name("dpmpp", names) == "dpm++");
  CHECK(*same_name("DPM++", names) == "dpm++");
  CHECK(same_name("rotate", names) == nullptr);
  CHECK(same_name("", names) == nullptr);
}

TEST_CASE("a name with up to two mistakes is found") {
  CHECK(closest_name("smaple", kCommands) == "sample");  // one exchange
  CHECK(closest_name("sampel", kCommands) == "sample");
  CHECK(closest_name("simpel", kCommands) == "sample");  // two
  CHECK(closest_name("simpul", kCommands).empty());      // three
  CHECK(closest_name("edti", kCommands) == "edit");
  CHECK(closest_name("mnist-clas", kModels) == "mnist-class");
  CHECK(closest_name("--step", {"--help", "--steps"}) == "--steps");
}

TEST_CASE("short names allow one mistake, a letter alone none") {
  CHECK(closest_name("plo", kCommands) == "plot");
  CHECK(closest_name("xyt", {"cut"}).empty());
  CHECK(closest_name("x", {"y"}).empty());
  CHECK(closest_name("7", {"no"}).empty());
}

TEST_CASE("otherwise the shortest that begins alike is found") {
  CHECK(closest_name("mnist", kModels) == "mnist-time");
  CHECK(closest_name("sampling", kCommands).empty());
  CHECK(closest_name("samples-of-digits", kCommands) == "sample");
}

TEST_CASE("nothing alike gives no suggestion") {
  CHECK(did_you_mean("smaple", kCommands) == " Did you mean sample?");
  CHECK(did_you_mean("xyz", kCommands).empty());
  CHECK(did_you_mean("", kCommands).empty());
  CHECK(did_you_mean(std::string(100'000, 'a'), kCommands).empty());
}

}  // namespace
}  // namespace ebb
