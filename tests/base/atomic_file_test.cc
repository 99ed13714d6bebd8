#include "base/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <iostream>
#include <vector>

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

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

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

TEST_CASE("links are followed to where they point, there or not, and never replaced") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "sub");
  std::filesystem::create_symlink("../second", dir / "sub/link");
  std::filesystem::create_symlink("sub/link", dir / "first");
  write_file(dir / "first", "new");
  CHECK(std::filesystem::is_symlink(dir / "first"));
  CHECK(std::filesystem::is_symlink(dir / "sub/link"));
  CHECK(get_file(dir / "second") == "new");
  CHECK(dir.count() == 3);
  std::filesystem::create_symlink("loop", dir / "loop");
  CHECK_THAT(writing(dir / "loop"), Contains("/loop: Too many levels of symbolic links"));
  std::filesystem::create_symlink("nowhere/f", dir / "lost");
  CHECK_THAT(writing(dir / "lost"), Contains("/nowhere does not exist"));
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

const char* const kLeft = ".ebb-0123456789abcdef.tmp";

TEST_CASE(
    "temporary files of dead writers are removed, those of live writers and others are kept") {
  const TempDir dir;
  put_file(dir / kLeft, "left by a killed process");
  const std::vector<std::string> others = {".f.123.tmp", ".ebb-0123456789abcde.tmp",
                                           ".ebb-0123456789abcdeG.tmp", "f.tmp",
                                           ".ebb-0123456789abcdef.tmp~"};
  for (const std::string& other : others) put_file(dir / other, "not ours");
  std::filesystem::create_directory(dir / ".ebb-00000000000000ff.tmp");
  std::filesystem::create_symlink(others[0], dir / ".ebb-000000000000000f.tmp");
  AtomicFile first(dir / "f", 3);
  CHECK_FALSE(std::filesystem::exists(dir / kLeft));
  write_file(dir / "f", "of another writer");
  first.write("new", 3);
  first.commit();
  CHECK(get_file(dir / "f") == "new");
  for (const std::string& other : others) CHECK(get_file(dir / other) == "not ours");
  CHECK(std::filesystem::is_directory(dir / ".ebb-00000000000000ff.tmp"));
  CHECK(std::filesystem::is_symlink(dir / ".ebb-000000000000000f.tmp"));
  CHECK(dir.count() == static_cast<long>(others.size()) + 3);
}

TEST_CASE("a file that must stay is not replaced, also when it comes into being meanwhile") {
  const TempDir dir;
  put_file(dir / "f", "mine");
  CHECK_THAT(message_of<IoError>([&] { AtomicFile(dir / "f", 1, Overwrite::kRefuse); }),
             Contains("/f: the file exists and is kept. Use --force"));
  AtomicFile late(dir / "g", 3, Overwrite::kRefuse);
  late.write("new", 3);
  put_file(dir / "g", "mine");
  CHECK_THAT(message_of<IoError>([&] { late.commit(); }), Contains("/g: the file exists"));
  CHECK(get_file(dir / "f") == "mine");
  CHECK(get_file(dir / "g") == "mine");
}

TEST_CASE("a replaced file keeps its mode, and other users can never read the new content early") {
  const TempDir dir;
  for (const mode_t mode : {0600, 0640, 0444, 0755}) {
    put_file(dir / "f", "old");
    REQUIRE(::chmod((dir / "f").c_str(), mode) == 0);
    AtomicFile file(dir / "f", 3);
    file.write("new", 3);
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      const bool is_temporary = entry.path().filename().string().starts_with(".ebb-");
      if (is_temporary) CHECK(mode_of(entry.path()) == 0600);
    }
    file.commit();
    CHECK(get_file(dir / "f") == "new");
    CHECK(mode_of(dir / "f") == mode);
  }
}

TEST_CASE("a replaced file keeps its owner where the user may give files away") {
  if (::geteuid() != 0) {
    std::cout << "skipped: owners (takes root)\n";
    return;
  }
  const TempDir dir;
  put_file(dir / "f", "old");
  REQUIRE(::chown((dir / "f").c_str(), 12345, 23456) == 0);
  write_file(dir / "f", "new");
  struct stat status {};
  REQUIRE(::stat((dir / "f").c_str(), &status) == 0);
  CHECK(status.st_uid == 12345);
  CHECK(status.st_gid == 23456);
}

TEST_CASE("names and paths may be as long as the file system allows") {
  const TempDir dir;
  const std::string longest(255, 'n');
  write_file(dir / longest, "x");
  CHECK(get_file(dir / longest) == "x");
  CHECK_THAT(writing(dir / (longest + "n")), Contains("File name too long"));
  // A path so long that no longer name than the file's own fits into its directory.
  std::string deep = dir.path();
  constexpr size_t kDeepest = PATH_MAX - 1 - 2;  // "/f" and a NUL follow
  while (kDeepest - deep.size() > 1) {
    const size_t room = kDeepest - deep.size() - 1;
    deep += "/" + std::string(room > 220 ? 200 : std::min<size_t>(room, 110), 'd');
    std::filesystem::create_directory(deep);
  }
  write_file(deep + "/f", "deep");
  CHECK(get_file(deep + "/f") == "deep");
}

// Exit status of a process that gets `signal`, handled by `handler`, with a file half written.
int status_after(int signal, void (*handler)(int), const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(signal, handler);
    unlink_files_on_signals();
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
