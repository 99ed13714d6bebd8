#include "base/available_threads.h"

#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

// A directory with proc/self/cgroup and the files of groups below sys/fs/cgroup.
class FakeSystem {
 public:
  explicit FakeSystem(std::string_view groups) {
    fs::create_directories(dir_ / "proc/self");
    test::put_file(dir_ / "proc/self/cgroup", groups);
  }
  void put(const std::string& file, std::string_view content) {
    const fs::path path = dir_ / ("sys/fs/cgroup/" + file);
    fs::create_directories(path.parent_path());
    test::put_file(path, content);
  }
  std::optional<int> cpus() const { return cgroup_cpus(dir_.path()); }

 private:
  test::TempDir dir_;
};

TEST_CASE("a quota of version 2 is rounded up to whole CPUs", "[threads]") {
  const auto cpus = [](std::string_view content) {
    FakeSystem system("0::/\n");
    system.put("cpu.max", content);
    return system.cpus();
  };
  CHECK(cpus("200000 100000\n") == 2);
  CHECK(cpus("150000 100000\n") == 2);
  CHECK(cpus("50000 100000\n") == 1);
  CHECK(cpus("1000 100000\n") == 1);
  CHECK(cpus("400000 50000\n") == 8);
  CHECK(cpus("9000000000000000000 1\n") == 1024);
}

TEST_CASE("no quota, and what is none", "[threads]") {
  for (const char* content : {"max 100000\n", "", "0 100000\n", "-1 100000\n", "100000 0\n",
                              "100000\n", "text\n", "99999999999999999999999 100000\n"}) {
    INFO(content);
    FakeSystem system("0::/\n");
    system.put("cpu.max", content);
    CHECK(system.cpus() == std::nullopt);
  }
  CHECK(FakeSystem("0::/\n").cpus() == std::nullopt);
  CHECK(FakeSystem("").cpus() == std::nullopt);
  CHECK(FakeSystem("no colons\n:\n0:\n").cpus() == std::nullopt);
  CHECK(cgroup_cpus("/no/such/directory") == std::nullopt);
}

TEST_CASE("the smallest quota of the groups around a process counts", "[threads]") {
  FakeSystem system("0::/user.slice/job:7.scope\n");
  system.put("cpu.max", "max 100000\n");
  system.put("user.slice/job:7.scope/cpu.max", "600000 100000\n");
  CHECK(system.cpus() == 6);
  system.put("user.slice/cpu.max", "300000 100000\n");
  CHECK(system.cpus() == 3);
  system.put("user.slice/job:7.scope/cpu.max", "200000 100000\n");
  CHECK(system.cpus() == 2);
}

TEST_CASE("in a container the name of the group may be the host's", "[threads]") {
  for (const char* group : {"0::/docker/4f2a\n", "0::/../../other\n", "0::/..\n"}) {
    INFO(group);
    FakeSystem system(group);
    system.put("cpu.max", "300000 100000\n");
    CHECK(system.cpus() == 3);
  }
}

TEST_CASE("a group outside of the container is not looked for outside of its files", "[threads]") {
  FakeSystem system("0::/../../other\n");
  system.put("../../other/cpu.max", "100000 100000\n");
  CHECK(system.cpus() == std::nullopt);
}

TEST_CASE("a quota of version 1", "[threads]") {
  const std::string groups = "12:cpuset:/a\n4:cpu,cpuacct:/docker/7\n1:name=systemd:/x\n0::/x\n";
  for (const char* mount : {"cpu", "cpu,cpuacct"}) {
    INFO(mount);
    FakeSystem system(groups);
    const std::string group = std::string(mount) + "/docker/7";
    system.put(group + "/cpu.cfs_quota_us", "-1\n");
    system.put(group + "/cpu.cfs_period_us", "100000\n");
    CHECK(system.cpus() == std::nullopt);
    system.put(group + "/cpu.cfs_quota_us", "250000\n");
    CHECK(system.cpus() == 3);
  }
  FakeSystem other("4:cpuacct,cpuset:/\n");  // no group of the CPU's controller
  other.put("cpu/cpu.cfs_quota_us", "100000\n");
  other.put("cpu/cpu.cfs_period_us", "100000\n");
  CHECK(other.cpus() == std::nullopt);
}

TEST_CASE("OMP_NUM_THREADS is the first number of its list", "[threads]") {
  CHECK(parse_omp_num_threads("3") == 3);
  CHECK(parse_omp_num_threads(" 3 ") == 3);
  CHECK(parse_omp_num_threads("4,2") == 4);
  CHECK(parse_omp_num_threads("5000") == 1024);
  CHECK(parse_omp_num_threads(nullptr) == std::nullopt);
  for (const char* bad : {"", " ", "0", "-2", "two", "2x", "2.5", ",4"}) {
    INFO(bad);
    CHECK(parse_omp_num_threads(bad) == std::nullopt);
  }
}

// The environment variable as it was, when the test ends.
class OmpNumThreads {
 public:
  explicit OmpNumThreads(const char* value) {
    if (const char* before = std::getenv(kName)) before_ = before;
    value == nullptr ? ::unsetenv(kName) : ::setenv(kName, value, 1);
  }
  OmpNumThreads(const OmpNumThreads&) = delete;
  OmpNumThreads& operator=(const OmpNumThreads&) = delete;
  ~OmpNumThreads() { before_ ? ::setenv(kName, before_->c_str(), 1) : ::unsetenv(kName); }

 private:
  static constexpr const char* kName = "OMP_NUM_THREADS";
  std::optional<std::string> before_;
};

TEST_CASE("OMP_NUM_THREADS counts before the machine", "[threads]") {
  const OmpNumThreads variable("57");
  CHECK(available_threads() == 57);
}

TEST_CASE("the affinity mask limits the threads", "[threads]") {
  const OmpNumThreads variable(nullptr);
  const int all = available_threads();
  CHECK(all >= 1);
  int one = 0;
  std::thread([&] {  // the mask of this thread alone
    cpu_set_t mask;
    REQUIRE(sched_getaffinity(0, sizeof mask, &mask) == 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &mask)) ++cpu;
    CPU_ZERO(&mask);
    CPU_SET(cpu, &mask);
    if (sched_setaffinity(0, sizeof mask, &mask) == 0) one = available_threads();
  })
      .join();
  CHECK(one == 1);
}

}  // namespace
}  // namespace ebb
