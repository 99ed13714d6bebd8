#include "base/available_memory.h"

#include <filesystem>

#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

// A directory with proc and sys of a machine with 8 GiB to spare.
class FakeSystem {
 public:
  FakeSystem() {
    put("proc/meminfo", "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n");
  }
  void put(const std::string& file, std::string_view content) {
    fs::create_directories((dir_ / file).parent_path());
    test::put_file(dir_ / file, content);
  }
  std::optional<int64_t> available() const { return available_memory(dir_.path()); }

 private:
  struct Dir {
    test::TempDir dir;
    fs::path operator/(const std::string& file) const { return fs::path(dir.path()) / file; }
    std::string path() const { return dir.path(); }
  } dir_;
};

constexpr int64_t kGib = int64_t{1} << 30;

TEST_CASE("memory of a machine without groups is what the kernel calls available") {
  CHECK(FakeSystem().available() == 8 * kGib);
}

TEST_CASE("nothing is known without proc") {
  const test::TempDir empty;
  CHECK(available_memory(empty.path()) == std::nullopt);
}

TEST_CASE("a group of version 2 leaves its limit less what it uses, cached files being free") {
  FakeSystem system;
  system.put("proc/self/cgroup", "0::/job/step\n");
  system.put("sys/fs/cgroup/job/memory.max", std::to_string(4 * kGib));
  system.put("sys/fs/cgroup/job/memory.current", std::to_string(3 * kGib));
  CHECK(system.available() == kGib);
  system.put("sys/fs/cgroup/job/memory.stat",
             "anon 1\ninactive_file " + std::to_string(kGib) + "\n");
  CHECK(system.available() == 2 * kGib);
  system.put("sys/fs/cgroup/job/memory.current", std::to_string(6 * kGib));
  CHECK(system.available() == 0);
  system.put("sys/fs/cgroup/job/memory.max", "max\n");
  CHECK(system.available() == 8 * kGib);
}

TEST_CASE("a group of version 1, whose largest number is no limit") {
  FakeSystem system;
  system.put("proc/self/cgroup", "5:memory:/job\n");
  system.put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(4 * kGib));
  system.put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(kGib));
  CHECK(system.available() == 3 * kGib);
  system.put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712");
  CHECK(system.available() == 8 * kGib);
}

TEST_CASE("this machine has some memory") { CHECK(available_memory().value_or(0) > kGib / 16); }

}  // namespace
}  // namespace ebb
