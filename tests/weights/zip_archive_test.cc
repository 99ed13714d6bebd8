#include "weights/zip_archive.h"

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "testing/torch_files.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::TempDir;
using test::zip_archive;

struct Archive {
  TempDir dir;

  std::vector<ZipMember> read(const std::string& bytes) const {
    test::put_file(dir / "a.zip", bytes);
    return read_zip_directory(FileReader(dir / "a.zip"));
  }
  std::string refusal(const std::string& bytes) const {
    return message_of<FormatError>([&] { read(bytes); });
  }
};

const std::vector<test::ZipPart> kTwo = {{"r/a", "first"}, {"r/b", "second"}};

TEST_CASE("members are listed with their bytes' places") {
  const Archive archive;
  const std::string bytes = zip_archive(kTwo);
  const std::vector<ZipMember> members = archive.read(bytes);
  REQUIRE(members.size() == 2);
  CHECK(members[0].name == "r/a");
  CHECK(bytes.substr(members[0].begin, members[0].bytes()) == "first");
  CHECK(bytes.substr(members[1].begin, members[1].bytes()) == "second");
  CHECK(members[1].crc == ::crc32(0, reinterpret_cast<const Bytef*>("second"), 6));
}

TEST_CASE("an archive that was cut, added to or patched is refused") {
  const Archive archive;
  const std::string good = zip_archive(kTwo);
  CHECK_THAT(archive.refusal(good.substr(0, good.size() - 1)), Contains("end record"));
  CHECK_THAT(archive.refusal(good + "x"), Contains("end record"));
  CHECK_THAT(archive.refusal("x" + good), Contains("does not end at the end record"));
  std::string counts = good;
  counts[good.size() - 14] = counts[good.size() - 12] = 1;
  CHECK_THAT(archive.refusal(counts), Contains("says 1 members, the directory holds 2"));
  std::string moved = good;
  moved[good.size() - 6] = 1;  // where the directory begins
  CHECK_THAT(archive.refusal(moved), Contains("does not end at the end record"));
}

TEST_CASE("no byte of the directory and of the headers can be changed unnoticed but in the CRCs") {
  const Archive archive;
  const std::string good = zip_archive(kTwo);
  const std::vector<ZipMember> members = archive.read(good);
  size_t wrong = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    try {
      for (const ZipMember& member : archive.read(bad)) {
        const bool same = member.begin == members[0].begin || member.begin == members[1].begin;
        wrong += same && member.end <= good.size() ? 0 : 1;
      }
    } catch (const FormatError&) {
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("members that are compressed, encrypted, doubled or named twice over are refused") {
  const Archive archive;
  CHECK_THAT(archive.refusal(zip_archive({{"r/a", "x", 0x808, 8}})),
             Contains("\"r/a\" is compressed (method 8)"));
  CHECK_THAT(archive.refusal(zip_archive({{"r/a", "x", 0x809}})), Contains("encrypted"));
  CHECK_THAT(archive.refusal(zip_archive({{"r/a", "x"}, {"r/a", "y"}})), Contains("\"r/a\" twice"));
  CHECK_THAT(archive.refusal(zip_archive({{"r/a", "x", 0x808, 0, "r/z"}})),
             Contains("is not that of ZIP member \"r/a\""));
}

TEST_CASE("two members at one place are refused") {
  const Archive archive;
  std::string bytes = zip_archive({{"r/a", "x"}, {"r/a", "x"}});
  const size_t second = bytes.rfind("PK\1\2");
  bytes.replace(second + 42, 4, std::string(4, '\0'));  // the local header of the first
  CHECK_THAT(archive.refusal(bytes), Contains("twice"));
  bytes = zip_archive({{"r/a", "x"}, {"r/b", "x"}});
  bytes.replace(bytes.rfind("PK\1\2") + 42, 4, std::string(4, '\0'));
  CHECK_THAT(archive.refusal(bytes), Contains("is not that of"));
}

}  // namespace
}  // namespace ebb
