#include "base/thread_team.h"

#include <time.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "testing/catch.h"

namespace ebb {
namespace {

using std::chrono::milliseconds;

void for_each_task(int members, int64_t tasks, int64_t run, const auto& body) {
  with_team(members, tasks, run, [&](TaskQueue& queue, int member) {
    for (int64_t task, last; queue.take(task, last);) {
      for (; task < last; ++task) body(task, member);
    }
  });
}

// The number of runs of each task.
std::vector<int> counts(int members, int64_t tasks, int64_t run) {
  std::vector<std::atomic<int>> ran(static_cast<size_t>(tasks));
  for_each_task(members, tasks, run, [&](int64_t task, int) { ++ran[static_cast<size_t>(task)]; });
  return {ran.begin(), ran.end()};
}

double process_cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Waits in the body of a task until `condition` holds; false after ten seconds.
bool wait_for(const auto& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_CASE("every task runs once, with any number of threads and of tasks at a time", "[threads]") {
  for (const int members : {-1, 0, 1, 2, 3, 8, 64}) {
    for (const int64_t tasks : {0, 1, 2, 5, 100, 1000}) {
      for (const int64_t run : {1, 3, 2000}) {
        INFO(members << " members, " << tasks << " tasks, " << run << " at a time");
        CHECK(counts(members, tasks, run) == std::vector<int>(static_cast<size_t>(tasks), 1));
      }
    }
  }
}

TEST_CASE("threads come, each member once and with a number of its own", "[threads]") {
  constexpr int kMembers = 4;
  for (int round = 0; round < 200; ++round) {
    // No task ends before every member has one.
    std::atomic<int> arrived = 0, late = 0;
    std::vector<std::thread::id> threads(kMembers);
    for_each_task(kMembers, kMembers, 1, [&](int64_t, int member) {
      threads.at(static_cast<size_t>(member)) = std::this_thread::get_id();
      ++arrived;
      if (!wait_for([&] { return arrived == kMembers; })) ++late;
    });
    REQUIRE(late == 0);
    REQUIRE(threads[0] == std::this_thread::get_id());
    REQUIRE(std::set(threads.begin(), threads.end()).size() == kMembers);
  }
}

TEST_CASE("a team of few of its threads has no more members than asked for", "[threads]") {
  counts(8, 8, 1);
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> largest = 0;
    for_each_task(3, 100, 1, [&](int64_t, int member) {
      for (int seen = largest; member > seen && !largest.compare_exchange_weak(seen, member);) {
      }
    });
    REQUIRE(largest < 3);
  }
}

TEST_CASE("what the tasks wrote is there when the loop ends", "[threads]") {
  for (int64_t round = 0; round < 2000; ++round) {
    std::vector<int64_t> values(64);
    for_each_task(3, 64, 1, [&](int64_t task, int) { values[static_cast<size_t>(task)] = round; });
    REQUIRE(std::accumulate(values.begin(), values.end(), int64_t{0}) == 64 * round);
  }
}

TEST_CASE("an exception of a task leaves the loop, and the next loop is whole", "[threads]") {
  for (const int members : {1, 2, 4}) {
    for (const int64_t bad : {0, 7, 999}) {
      CHECK_THROWS_WITH(for_each_task(members, 1000, 1,
                                      [&](int64_t task, int) {
                                        if (task == bad) throw std::runtime_error("task");
                                      }),
                        "task");
      CHECK(counts(members, 50, 1) == std::vector<int>(50, 1));
    }
  }
}

TEST_CASE("an exception on another thread than the caller's leaves the loop, too", "[threads]") {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> thrown = false;
    CHECK_THROWS_WITH(for_each_task(2, 2, 1,
                                    [&](int64_t, int member) {
                                      if (member == 0) {
                                        wait_for([&] { return thrown.load(); });
                                        return;
                                      }
                                      thrown = true;
                                      throw std::runtime_error("member 1");
                                    }),
                      "member 1");
  }
}

TEST_CASE("many exceptions at once become one", "[threads]") {
  for (int round = 0; round < 200; ++round) {
    CHECK_THROWS_AS(
        for_each_task(4, 100, 1,
                      [](int64_t task, int) { throw std::out_of_range(std::to_string(task)); }),
        std::out_of_range);
  }
}

TEST_CASE("loops inside of a task run on its thread", "[threads]") {
  std::atomic<int> inner = 0, others = 0;
  for_each_task(3, 20, 1, [&](int64_t, int) {
    const auto self = std::this_thread::get_id();
    for_each_task(3, 10, 1, [&](int64_t, int member) {
      ++inner;
      if (member != 0 || std::this_thread::get_id() != self) ++others;
    });
  });
  CHECK(inner == 200);
  CHECK(others == 0);
}

TEST_CASE("after an exception the caller has its team again", "[threads]") {
  CHECK_THROWS(for_each_task(2, 2, 1, [](int64_t, int) { throw std::runtime_error("x"); }));
  std::atomic<int> arrived = 0, late = 0;
  for_each_task(2, 2, 1, [&](int64_t, int) {
    ++arrived;
    if (!wait_for([&] { return arrived == 2; })) ++late;
  });
  CHECK(late == 0);
}

TEST_CASE("callers on several threads don't disturb each other", "[threads]") {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&wrong, caller] {
      for (int round = 0; round < 300; ++round) {
        const int64_t tasks = 1 + (round + caller) % 17;
        if (counts(3, tasks, 1) != std::vector<int>(static_cast<size_t>(tasks), 1)) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("callers wait for no one else's tasks", "[threads]") {
  std::atomic<bool> entered = false, done = false;
  std::atomic<int> late = 0;
  std::thread other([&] {
    for_each_task(2, 2, 1, [&](int64_t, int) {
      entered = true;
      if (!wait_for([&] { return done.load(); })) ++late;
    });
  });
  CHECK(wait_for([&] { return entered.load(); }));
  CHECK(counts(2, 100, 1) == std::vector<int>(100, 1));
  done = true;
  other.join();
  CHECK(late == 0);
}

TEST_CASE("threads without work sleep", "[threads]") {
  counts(4, 100, 1);
  std::this_thread::sleep_for(milliseconds(5));  // the first microseconds they spin
  const double before = process_cpu_seconds();
  std::this_thread::sleep_for(milliseconds(200));
  CHECK(process_cpu_seconds() - before < 0.002);
}

TEST_CASE("a caller that waits for a long task sleeps", "[threads]") {
  const double before = process_cpu_seconds();
  for_each_task(4, 4, 1, [](int64_t task, int) {
    if (task == 0) std::this_thread::sleep_for(milliseconds(200));
  });
  CHECK(process_cpu_seconds() - before < 0.02);
}

}  // namespace
}  // namespace ebb
