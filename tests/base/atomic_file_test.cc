#include "base/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::get_file;
using test::message_of;
using test::put_file;
using test::TempDir;

// Limits the size of files written while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

template <typename ExpectedError = IoError>
std::string writing(const std::string& path, std::string_view content = "x") {
  return message_of<ExpectedError>([&] { write_file(path, content); });
}

TEST_CASE("a committed file replaces the old one and leaves nothing else") {
  const TempDir dir;
  write_file(dir / "f", "old");
  AtomicFile file(dir / "f", 3);
  file.write("n", 1);
  file.write("ew", 2);
  CHECK(get_file(dir / "f") == "old");
  file.commit();
  CHECK(get_file(dir / "f") == "new");
  CHECK(dir.count() == 1);
}

TEST_CASE("a file that is not committed leaves the old one and nothing else") {
  const TempDir dir;
  write_file(dir / "f", "old");
  {
    AtomicFile file(dir / "f", 3);
    file.write("new", 3);
    CHECK(dir.count() == 2);
  }
  CHECK(get_file(dir / "f") == "old");
  CHECK(dir.count() == 1);
}

TEST_CASE("a write that fails half-way leaves the old file and nothing else") {
  const TempDir dir;
  write_file(dir / "f", "old");
  {
    const FileSizeLimit limit(64 * 1024);
    const std::string message = writing(dir / "f", std::string(100'000, 'x'));
    CHECK_THAT(message, Contains("/f: cannot write: "));
    CHECK_THAT(message, Contains("after 65536 bytes (64.0 KiB)"));
    CHECK_THAT(message, Contains("an older one is unchanged"));
  }
  CHECK(get_file(dir / "f") == "old");
  CHECK(dir.count() == 1);
}

TEST_CASE("too little free space is found before anything is written") {
  const TempDir dir;
  const std::string message =
      message_of<IoError>([&] { AtomicFile file(dir / "f", uint64_t{1} << 60); });
  CHECK_THAT(message, Contains("/f: disk full: needs 1210567579837189324 bytes (1.1 EiB)"));
  CHECK_THAT(message, Contains(" free. Nothing was changed."));
  CHECK(dir.count() == 0);
}

TEST_CASE("only regular files are replaced") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK_THAT(writing(dir.path()), Contains(": is a directory"));
  CHECK_THAT(writing(dir / ""), Contains(": is a directory"));
  CHECK_THAT(writing(dir / "fifo"), Contains("/fifo: is a device or pipe"));
  CHECK_THAT(writing("/dev/full"), Contains("/dev/full: is a device or pipe"));
  CHECK_THAT(writing(""), Contains("(empty file name): is no file name"));
  CHECK(dir.count() == 1);
}

TEST_CASE("a directory that is missing or no directory is named") {
  const TempDir dir;
  put_file(dir / "file", "x");
  CHECK_THAT(writing(dir / "no/f"), Contains("/no does not exist"));
  CHECK_THAT(writing(dir / "file/f"), Contains("/file does not exist"));
}

TEST_CASE("a symbolic link stays and its target is replaced") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "sub");
  put_file(dir / "sub/target", "old");
  std::filesystem::create_symlink("sub/target", dir / "link");
  write_file(dir / "link", "new");
  CHECK(std::filesystem::is_symlink(dir / "link"));
  CHECK(get_file(dir / "sub/target") == "new");
}

TEST_CASE("temporary files of dead writers are removed, those of live writers are kept") {
  const TempDir dir;
  put_file(dir / ".f.123456789.tmp", "left by a killed process");
  put_file(dir / ".f.1a.tmp", "not ours");
  put_file(dir / ".g.1.tmp", "of another file");
  AtomicFile first(dir / "f", 3);
  CHECK_FALSE(std::filesystem::exists(dir / ".f.123456789.tmp"));
  CHECK(dir.count() == 3);
  CHECK_THAT(writing(dir / "f"), Contains("/f: cannot create the file: File exists"));
  first.write("new", 3);
  first.commit();
  CHECK(get_file(dir / "f") == "new");
}

// How a process ends that gets `signal`, handled by `handler`, with a file half written.
int status_after(int signal, void (*handler)(int), const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(signal, handler);
    AtomicFile file(path, 3);
    file.write("new", 3);
    std::raise(signal);
    file.commit();
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_CASE("a signal that ends the process takes the temporary file along") {
  const TempDir dir;
  put_file(dir / "f", "old");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const int status = status_after(signal, SIG_DFL, dir / "f");
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == signal));
    CHECK(dir.count() == 1);
    CHECK(get_file(dir / "f") == "old");
  }
}

TEST_CASE("signals that the program handles or ignores do not touch the temporary file") {
  const TempDir dir;
  for (void (*handler)(int) : {SIG_IGN, +[](int) {}}) {
    CHECK(status_after(SIGINT, handler, dir / "f") == 0);
    CHECK(get_file(dir / "f") == "new");
  }
}

TEST_CASE("the permissions of a new file follow the umask") {
  const TempDir dir;
  const mode_t before = ::umask(027);
  write_file(dir / "f", "x");
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat((dir / "f").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

}  // namespace
}  // namespace ebb
