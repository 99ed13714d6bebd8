#include "base/stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/error.h"
#include "base/output_file.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;

struct Pipe {
  Pipe() { REQUIRE(::pipe(ends) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string reading() const { return "/dev/fd/" + std::to_string(ends[0]); }
  std::string writing() const { return "/proc/self/fd/" + std::to_string(ends[1]); }
  int ends[2] = {-1, -1};
};

std::string text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const uint8_t> bytes_of(const std::string& content) {
  return {reinterpret_cast<const uint8_t*>(content.data()), content.size()};
}

TEST_CASE("streams and files are distinguished by name and by type") {
  const test::TempDir dir;
  test::put_file(dir / "file", "x");
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  for (const char* path : {"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/63"}) {
    CHECK(is_input_stream(path));
    CHECK(is_output_stream(path));
  }
  CHECK(is_input_stream(dir / "pipe"));
  CHECK(is_output_stream(dir / "pipe"));
  CHECK(is_output_stream("/dev/null"));
  for (const std::string& path :
       {dir / "file", dir / "none", dir.path(), std::string("./-"), std::string("/dev/fd/x")}) {
    CHECK_FALSE(is_input_stream(path));
    CHECK_FALSE(is_output_stream(path));
  }
  CHECK_FALSE(is_input_stream("/dev/zero"));  // has no end
}

TEST_CASE("a pipe is written and read whole") {
  const std::string content(200'000, 'p');  // more than a pipe holds
  Pipe pipe;
  std::thread writer([&] {
    write_output_file(pipe.writing(), bytes_of(content), Overwrite::kRefuse);
    ::close(std::exchange(pipe.ends[1], -1));
  });
  CHECK(text(read_file_or_stream(pipe.reading(), 1 << 20)) == content);
  writer.join();
}

TEST_CASE("a stream beyond the limit is refused without reading all of it") {
  Pipe pipe;
  const std::string content(5000, 'p');
  write_output_stream(pipe.writing(), bytes_of(content));
  CHECK_THAT(message_of<FormatError>([&] { read_file_or_stream(pipe.reading(), 4999); }),
             Contains("holds more than"));
}

TEST_CASE("files are read as ever, and never replaced because a stream is named") {
  const test::TempDir dir;
  test::put_file(dir / "file", "content");
  CHECK(text(read_file_or_stream(dir / "file", 100)) == "content");
  CHECK_THROWS_AS(read_file_or_stream(dir / "none", 100), IoError);
  CHECK_THROWS_AS(write_output_file(dir / "file", bytes_of("new"), Overwrite::kRefuse), IoError);
  CHECK_NOTHROW(write_output_file("/dev/null", bytes_of("new"), Overwrite::kRefuse));
  const int reading = ::open((dir / "file").c_str(), O_RDONLY);
  const std::string path = "/dev/fd/" + std::to_string(reading);
  CHECK_THAT(message_of<IoError>([&] { check_output_stream(path); }),
             Contains("is not open for writing"));
  ::close(reading);
  CHECK_THROWS_AS(check_output_stream(path), IoError);
}

}  // namespace
}  // namespace ebb
