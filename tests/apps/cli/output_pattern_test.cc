#include "apps/cli/output_pattern.h"

#include <unistd.h>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("a pattern puts the index where its number is") {
  CHECK(OutputPattern("out_%03d.png", 20).path(0) == "out_000.png");
  CHECK(OutputPattern("out_%03d.png", 20).path(17) == "out_017.png");
  CHECK(OutputPattern("out_%03d.png", 2000).path(1234) == "out_1234.png");
  CHECK(OutputPattern("a/%d/b.png", 2).path(10) == "a/10/b.png");
  CHECK(OutputPattern("%d", 2).path(1) == "1");
  CHECK(OutputPattern("%09d.png", 2).path(7) == "000000007.png");
}

TEST_CASE("a doubled percent sign is one") {
  CHECK(OutputPattern("50%%_%d%%.png", 2).path(3) == "50%_3%.png");
  CHECK(OutputPattern("100%%.png", 1).path(0) == "100%.png");
}

TEST_CASE("a single image needs no number but may have one") {
  CHECK(OutputPattern("digit.png", 1).path(0) == "digit.png");
  CHECK(OutputPattern("digit_%02d.png", 1).path(0) == "digit_00.png");
}

TEST_CASE("several images need a number") {
  CHECK_THROWS_AS(OutputPattern("digit.png", 2), UsageError);
  CHECK_THROWS_WITH(OutputPattern("digit.png", 2), Contains("2 images would go to one file"));
}

TEST_CASE("anything but one %d or %0Nd is refused and nothing reaches printf") {
  for (const char* text : {"%s.png", "%n.png", "%5d.png", "%00d.png", "%010d.png", "%x", "%", "a%",
                           "%0d.png", "%-3d.png", "%1$d.png", "%03", "%.3d", "%ld", "%3 d", ""}) {
    CAPTURE(text);
    CHECK_THROWS_AS(OutputPattern(text, 1), UsageError);
  }
  CHECK_THROWS_WITH(OutputPattern("x_%s_%d.png", 3),
                    Contains("-o x_%s_%d.png") && Contains("\"%s_%\""));
  CHECK_THROWS_WITH(OutputPattern("%d_%d.png", 3), Contains("more than one number"));
}

TEST_CASE("a missing directory, a directory that is a file and a missing name are distinguished") {
  const test::TempDir dir;
  test::put_file(dir / "file", "x");
  CHECK_THROWS_AS(OutputPattern(dir / "none/out_%d.png", 2).check(Overwrite::kRefuse), IoError);
  CHECK_THROWS_WITH(OutputPattern(dir / "none/out_%d.png", 2).check(Overwrite::kRefuse),
                    Contains("none does not exist"));
  CHECK_THROWS_WITH(OutputPattern(dir / "file/out.png", 1).check(Overwrite::kRefuse),
                    Contains("file is not a directory"));
  CHECK_THROWS_WITH(OutputPattern(dir.path(), 1).check(Overwrite::kRefuse),
                    Contains("is a directory"));
  CHECK_THROWS_AS(OutputPattern(dir.path() + "/", 1).check(Overwrite::kRefuse), UsageError);
  CHECK_NOTHROW(OutputPattern(dir / "out_%d.png", 2).check(Overwrite::kRefuse));
}

TEST_CASE("a directory without write permission is refused") {
  if (::geteuid() == 0) {
    WARN("skipped: root may write everywhere");
    return;
  }
  const test::TempDir dir;
  std::filesystem::permissions(
      dir.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  CHECK_THROWS_WITH(OutputPattern(dir / "out.png", 1).check(Overwrite::kRefuse),
                    Contains("cannot be written"));
  std::filesystem::permissions(dir.path(), std::filesystem::perms::owner_all);
}

TEST_CASE("an existing file is kept unless it may be replaced") {
  const test::TempDir dir;
  const OutputPattern pattern(dir / "out_%d.png", 3);
  test::put_file(dir / "out_2.png", "old");
  CHECK_THROWS_AS(pattern.check(Overwrite::kRefuse), IoError);
  CHECK_THROWS_WITH(pattern.check(Overwrite::kRefuse),
                    Contains("out_2.png: the file exists") && Contains("--force"));
  CHECK_NOTHROW(pattern.check(Overwrite::kReplace));
}

TEST_CASE("writing refuses an existing file, replaces it on request, and leaves nothing else") {
  const test::TempDir dir;
  const std::vector<uint8_t> bytes = {'n', 'e', 'w'};
  test::put_file(dir / "a", "old");
  CHECK_THROWS_AS(write_output_file(dir / "a", bytes, Overwrite::kRefuse), IoError);
  CHECK(test::get_file(dir / "a") == "old");
  write_output_file(dir / "a", bytes, Overwrite::kReplace);
  write_output_file(dir / "b", bytes, Overwrite::kRefuse);
  CHECK(test::get_file(dir / "a") == "new");
  CHECK(test::get_file(dir / "b") == "new");
  CHECK(dir.count() == 2);
}

}  // namespace
}  // namespace ebb
