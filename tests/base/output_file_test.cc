#include "base/output_file.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::put_file;
using test::TempDir;

std::string refusal(const std::string& path, Overwrite overwrite = Overwrite::kReplace) {
  return message_of<IoError>([&] { check_output_file(path, overwrite); });
}

TEST_CASE("what could not be written later is refused at once") {
  const TempDir dir;
  put_file(dir / "file", "x");
  REQUIRE(::mknod((dir / "socket").c_str(), S_IFSOCK | 0600, 0) == 0);
  CHECK_NOTHROW(check_output_file(dir / "new", Overwrite::kRefuse));
  CHECK_NOTHROW(check_output_file(dir / "file", Overwrite::kReplace));
  CHECK_THAT(refusal(dir / "file", Overwrite::kRefuse), Contains("the file exists and is kept"));
  CHECK_THAT(refusal(dir.path()), Contains("is a directory"));
  CHECK_THAT(refusal(dir / "socket"), Contains("is a device or socket"));
  CHECK_THAT(refusal(dir / "no/f"), Contains("/no does not exist"));
  CHECK_THAT(refusal(dir / "file/f"), Contains("/file is not a directory"));
  CHECK_THAT(refusal(dir / std::string(256, 'n')), Contains("File name too long"));
  CHECK_NOTHROW(check_output_file(dir / std::string(255, 'n'), Overwrite::kRefuse));
}

TEST_CASE("a link stands for where it points") {
  const TempDir dir;
  std::filesystem::create_symlink("no/f", dir / "lost");
  CHECK_THAT(refusal(dir / "lost"), Contains("/no does not exist"));
  std::filesystem::create_symlink("new", dir / "link");
  CHECK_NOTHROW(check_output_file(dir / "link", Overwrite::kReplace));
  CHECK_THAT(refusal(dir / "link", Overwrite::kRefuse), Contains("the file exists and is kept"));
}

}  // namespace
}  // namespace ebb
