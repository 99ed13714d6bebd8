#include "base/file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <iostream>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::put_file;
using test::TempDir;

template <typename ExpectedError>
std::string opening(const std::string& path) {
  return message_of<ExpectedError>([&] { FileReader file(path); });
}

TEST_CASE("a reader copies any part of a file") {
  const TempDir dir;
  put_file(dir / "f", "0123456789");
  const FileReader file(dir / "f");
  CHECK(file.size() == 10);
  std::string part(4, ' ');
  file.read_at(3, part.data(), part.size());
  CHECK(part == "3456");
  file.read_at(10, part.data(), 0);
  CHECK_THAT(message_of<FormatError>([&] { file.read_at(8, part.data(), 4); }),
             Contains("/f: ends at byte 10, expected 2 more bytes"));
}

TEST_CASE("a file that shrinks while it is open gives an error") {
  const TempDir dir;
  put_file(dir / "f", "0123456789");
  const FileReader file(dir / "f");
  REQUIRE(::truncate((dir / "f").c_str(), 5) == 0);
  std::string all(10, ' ');
  CHECK_THAT(message_of<FormatError>([&] { file.read_at(0, all.data(), all.size()); }),
             Contains("ends at byte 5"));
}

TEST_CASE("read_file gives all bytes up to a limit") {
  const TempDir dir;
  put_file(dir / "f", "0123456789");
  put_file(dir / "empty", "");
  const std::vector<std::byte> content = read_file(dir / "f", 10);
  CHECK(std::memcmp(content.data(), "0123456789", 10) == 0);
  CHECK(read_file(dir / "empty", 10).empty());
  CHECK_THAT(message_of<FormatError>([&] { read_file(dir / "f", 9); }),
             Contains("/f: holds 10 bytes, expected at most 9 bytes"));
}

TEST_CASE("special files are refused by name and nothing waits on them") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  const int socket_fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (dir / "socket").c_str(), sizeof(address.sun_path) - 1);
  REQUIRE(::bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);

  CHECK_THAT(opening<FormatError>(dir.path()), Contains(": is a directory, expected a regular"));
  CHECK_THAT(opening<FormatError>(dir / "fifo"), Contains("/fifo: is a pipe"));
  CHECK_THAT(opening<FormatError>(dir / "socket"), Contains("/socket: is a socket"));
  CHECK_THAT(opening<FormatError>("/dev/zero"), Contains("/dev/zero: is a device"));
  CHECK_THAT(opening<FormatError>("/dev/full"), Contains("/dev/full: is a device"));
  ::close(socket_fd);
}

TEST_CASE("names that lead nowhere are refused with the name") {
  const TempDir dir;
  CHECK_THAT(opening<IoError>(dir / "missing"), Contains("/missing: no such file"));
  CHECK_THAT(opening<IoError>(""), Contains("(empty file name): no such file"));
  CHECK_THAT(opening<IoError>(std::string("a\0b", 3)), Contains("a\\x00b: no such file"));
  CHECK_THAT(opening<IoError>(dir / "\xff\x1b"), Contains("/\\xff\\x1b: no such file"));
  CHECK_THAT(opening<IoError>(std::string(4096, 'x')), Contains("xxx: cannot open: "));
  put_file(dir / "f", "x");
  CHECK_THAT(opening<IoError>(dir / "f/g"), Contains("/f/g: no such file"));
}

TEST_CASE("a file without permission is refused") {
  const TempDir dir;
  put_file(dir / "f", "x");
  REQUIRE(::chmod((dir / "f").c_str(), 0) == 0);
  constexpr uid_t kNobody = 65534;
  const bool is_root = ::geteuid() == 0;
  if (is_root && ::seteuid(kNobody) != 0) {
    std::cout << "skipped: root may read every file\n";
    return;
  }
  const std::string message = opening<IoError>(dir / "f");
  if (is_root) REQUIRE(::seteuid(0) == 0);
  CHECK_THAT(message, Contains("/f: permission denied"));
}

}  // namespace
}  // namespace ebb
