#include "weights/npz.h"

#include <cstring>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

NpyToSave saved(NpyArray array, const std::string& bytes) {
  return {std::move(array), [bytes](const NpyToSave::Sink& sink) {
            const auto all = std::as_bytes(std::span(bytes));
            const size_t half = bytes.size() / 2;
            sink(all.first(half));
            sink(all.subspan(half));
          }};
}

std::string text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("arrays come back as they were written, with the comment", "[npz]") {
  const test::TempDir dir;
  const std::string path = dir / "a.npz";
  const std::string labels(24, '\x05');
  save_npz(path,
           std::vector{saved({"arr_0", "|u1", {2, 3, 1}}, "abcdef"),
                       saved({"arr_1", "<i8", {3}}, labels)},
           "how it was made", Overwrite::kRefuse);
  const NpzFile file(path);
  REQUIRE(file.arrays().size() == 2);
  CHECK(file.arrays()[0].name == "arr_0");
  CHECK(file.arrays()[0].descr == "|u1");
  CHECK(file.arrays()[0].shape == std::vector<uint64_t>{2, 3, 1});
  CHECK(file.arrays()[1].shape == std::vector<uint64_t>{3});
  CHECK(text(file.read(file.arrays()[0])) == "abcdef");
  CHECK(text(file.read(*file.find("arr_1"))) == labels);
  CHECK(file.find("arr_2") == nullptr);
  CHECK(file.comment() == "how it was made");
}

TEST_CASE("a file that exists is kept", "[npz]") {
  const test::TempDir dir;
  const std::string path = dir / "a.npz";
  const std::vector arrays{saved({"a", "|u1", {1}}, "x")};
  save_npz(path, arrays, "", Overwrite::kRefuse);
  CHECK_THROWS_AS(save_npz(path, arrays, "", Overwrite::kRefuse), IoError);
  save_npz(path, arrays, "", Overwrite::kReplace);
  CHECK(NpzFile(path).comment().empty());
}

TEST_CASE("a stream that does not fit its shape is a bug", "[npz]") {
  const test::TempDir dir;
  CHECK_THROWS_AS(
      save_npz(dir / "a.npz", std::vector{saved({"a", "|u1", {3}}, "xy")}, "", Overwrite::kRefuse),
      Error);
}

TEST_CASE("damaged headers are refused", "[npz]") {
  const test::TempDir dir;
  const std::string path = dir / "a.npz";
  const auto message_with = [&](const std::string& from, const std::string& to) {
    save_npz(path, std::vector{saved({"arr_0", "|u1", {2, 3, 1}}, "abcdef")}, "",
             Overwrite::kReplace);
    std::string content = text(read_file(path, 1 << 20));
    const size_t at = content.find(from);
    REQUIRE(at != std::string::npos);
    content.replace(at, from.size(), to);
    test::put_file(path, content);
    return test::message_of<FormatError>([&] { const NpzFile file(path); });
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(message_with("False", "True "), Contains("Fortran order"));
  CHECK_THAT(message_with("(2, 3, 1)", "(2, 3, 2)"), Contains("its header asks for 12"));
  CHECK_THAT(message_with("(2, 3, 1)", "(2, x, 1)"), Contains("not understood"));
  CHECK_THAT(message_with("'descr'", "'dascr'"), Contains("not understood"));
  CHECK_THAT(message_with("NUMPY", "NUMPI"), Contains("is no array"));
  CHECK_THAT(message_with(std::string("NUMPY\x01", 6), std::string("NUMPY\x04", 6)),
             Contains("is no array"));
}

}  // namespace
}  // namespace ebb
