#include "engine/allocator.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/random_data.h"

namespace ebb {
namespace {

// Host memory with a limit, which counts requests.
class LimitedSource final : public MemorySource {
 public:
  struct Counts {
    int64_t held = 0;
    int acquired = 0, given_back = 0;
  };
  LimitedSource(int64_t limit, Counts* counts) : limit_(limit), counts_(counts) {}

  void* acquire(int64_t bytes) override {
    if (counts_->held + bytes > limit_) return nullptr;
    counts_->held += bytes;
    ++counts_->acquired;
    return host_->acquire(bytes);
  }
  void give_back(void* data, int64_t bytes) noexcept override {
    counts_->held -= bytes;
    ++counts_->given_back;
    host_->give_back(data, bytes);
  }
  std::string describe() const override { return "test memory"; }

 private:
  std::unique_ptr<MemorySource> host_ = host_memory_source();
  int64_t limit_;
  Counts* counts_;
};

constexpr int64_t kPlenty = int64_t{1} << 40;

std::unique_ptr<CachingAllocator> make_allocator(int64_t limit, LimitedSource::Counts* counts) {
  return std::make_unique<CachingAllocator>(std::make_unique<LimitedSource>(limit, counts));
}

TEST_CASE("large blocks of host memory start at a huge page", "[engine]") {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  CachingAllocator allocator(host_memory_source());
  for (const int64_t bytes : {kHugePage, kHugePage + 1, 5 * kHugePage - 64}) {
    auto* data = static_cast<unsigned char*>(allocator.allocate(bytes));
    CHECK(reinterpret_cast<uintptr_t>(data) % kHugePage == 0);
    std::memset(data, 1, static_cast<size_t>(bytes));
    allocator.release(data, bytes);
  }
}

TEST_CASE("an allocator with a limit keeps to it and says what is left", "[engine]") {
  constexpr int64_t kMib = int64_t{1} << 20;
  CachingAllocator allocator(host_memory_source(), 8 * kMib);
  CHECK(allocator.available() == 8 * kMib);
  void* first = allocator.allocate(4 * kMib);
  CHECK(allocator.available() == 4 * kMib);
  CHECK_THAT(test::message_of<DeviceError>([&] { allocator.allocate(5 * kMib); }),
             Catch::Matchers::Contains("out of memory: need 5242880 bytes (5.0 MiB) more, 4194304 "
                                       "bytes (4.0 MiB) in use of --memory-limit 8388608"));
  allocator.release(first, 4 * kMib);
  CHECK(allocator.available() == 8 * kMib);  // the cached block makes room
  void* second = allocator.allocate(7 * kMib);
  allocator.release(second, 7 * kMib);
}

TEST_CASE("released large blocks go back to the system", "[engine]") {
  constexpr int64_t kBlock = int64_t{64} << 20;
  const auto resident = [] {
    std::ifstream statm("/proc/self/statm");
    int64_t total = 0, pages = 0;
    statm >> total >> pages;
    return pages * sysconf(_SC_PAGESIZE);
  };
  CachingAllocator allocator(host_memory_source());
  std::vector<void*> blocks;
  const int64_t before = resident();
  for (int i = 0; i < 4; ++i) {
    blocks.push_back(allocator.allocate(kBlock));
    std::memset(blocks.back(), 1, kBlock);
  }
  CHECK(resident() - before >= 4 * kBlock);
  for (int i = 0; i < 3; ++i) allocator.release(blocks[i], kBlock);  // the last stays in use
  allocator.trim();
  CHECK(resident() - before < 2 * kBlock);
  allocator.release(blocks[3], kBlock);
}

TEST_CASE("blocks are aligned, large enough and do not overlap", "[engine]") {
  CachingAllocator allocator(host_memory_source());
  test::RandomData random(1);
  std::vector<std::pair<unsigned char*, int64_t>> blocks;
  for (int i = 0; i < 300; ++i) {
    const int64_t bytes = random.integer(0, i % 3 == 0 ? 100000 : 300);
    auto* data = static_cast<unsigned char*>(allocator.allocate(bytes));
    REQUIRE(reinterpret_cast<uintptr_t>(data) % Allocator::kAlignment == 0);
    std::memset(data, i % 251, static_cast<size_t>(bytes));
    blocks.emplace_back(data, bytes);
  }
  for (int i = 0; i < 300; ++i) {
    const auto& [data, bytes] = blocks[i];
    int64_t wrong = 0;
    for (int64_t b = 0; b < bytes; ++b) wrong += data[b] != i % 251;
    CHECK(wrong == 0);
    allocator.release(data, bytes);
  }
}

TEST_CASE("a released block is handed out again without asking the system", "[engine]") {
  LimitedSource::Counts counts;
  const auto allocator = make_allocator(kPlenty, &counts);
  void* first = allocator->allocate(10000);
  allocator->release(first, 10000);
  CHECK(allocator->allocate(10000) == first);
  allocator->release(first, 10000);
  // 10100 falls into the same size class (steps of 1024 between 8192 and 16384).
  CHECK(allocator->allocate(10100) == first);
  CHECK(counts.acquired == 1);
  void* second = allocator->allocate(10000);
  CHECK(second != first);
  CHECK(counts.acquired == 2);
  allocator->release(first, 10100);
  allocator->release(second, 10000);
}

TEST_CASE("a cached block wastes at most an eighth", "[engine]") {
  LimitedSource::Counts counts;
  const auto allocator = make_allocator(kPlenty, &counts);
  test::RandomData random(2);
  for (int i = 0; i < 200; ++i) {
    const int64_t bytes = random.integer(512, int64_t{1} << random.integer(10, 24));
    const int64_t before = counts.held;
    void* data = allocator->allocate(bytes);
    const int64_t block = counts.held - before;
    CHECK(block >= bytes);
    CHECK(block <= bytes + bytes / 8);
    CHECK(block % Allocator::kAlignment == 0);
    allocator->release(data, bytes);
    allocator->trim();
  }
}

TEST_CASE("the statistics follow every call", "[engine]") {
  LimitedSource::Counts counts;
  const auto allocator = make_allocator(kPlenty, &counts);
  void* a = allocator->allocate(1024);
  void* b = allocator->allocate(2048);
  AllocatorStats stats = allocator->stats();
  CHECK(stats.bytes_in_use == 3072);
  CHECK(stats.peak_bytes_in_use == 3072);
  CHECK(stats.bytes_reserved == 3072);
  CHECK(stats.allocations == 2);
  CHECK(stats.system_allocations == 2);
  allocator->release(a, 1024);
  allocator->release(b, 2048);
  a = allocator->allocate(1024);
  stats = allocator->stats();
  CHECK(stats.bytes_in_use == 1024);
  CHECK(stats.peak_bytes_in_use == 3072);
  CHECK(stats.bytes_reserved == 3072);
  CHECK(stats.allocations == 3);
  CHECK(stats.system_allocations == 2);
  allocator->trim();
  CHECK(allocator->stats().bytes_reserved == 1024);
  CHECK(counts.held == 1024);
  allocator->release(a, 1024);
  allocator->release(nullptr, 0);
  CHECK(allocator->stats().bytes_in_use == 0);
}

TEST_CASE("everything goes back to the system when the allocator ends", "[engine]") {
  LimitedSource::Counts counts;
  {
    const auto allocator = make_allocator(kPlenty, &counts);
    for (int64_t bytes : {100, 5000, 300000}) {
      allocator->release(allocator->allocate(bytes), bytes);
    }
  }
  CHECK(counts.held == 0);
  CHECK(counts.given_back == counts.acquired);
}

TEST_CASE("cached blocks are given up before memory is declared exhausted", "[engine]") {
  LimitedSource::Counts counts;
  const auto allocator = make_allocator(10240, &counts);
  allocator->release(allocator->allocate(8192), 8192);
  void* data = allocator->allocate(4096);  // fits only once the cached 8192 are given back
  CHECK(counts.held == 4096);
  CHECK(allocator->stats().bytes_reserved == 4096);
  allocator->release(data, 4096);
}

TEST_CASE("out of memory says what was needed, what is in use and what to do", "[engine]") {
  LimitedSource::Counts counts;
  const auto allocator = make_allocator(10240, &counts);
  void* data = allocator->allocate(8192);
  CHECK(test::message_of<DeviceError>([&] { allocator->allocate(4096); }) ==
        "out of test memory: need 4096 bytes more, 8192 bytes in use. Use a smaller --batch-size "
        "or a smaller model");
  CHECK(allocator->stats().bytes_in_use == 8192);
  allocator->release(data, 8192);
  allocator->release(allocator->allocate(10240), 10240);  // still usable
  CHECK(test::message_of<DeviceError>([&] { allocator->allocate(-5); }) ==
        "allocation of -5 bytes: not a possible size");
  CHECK_THROWS_AS(allocator->allocate(int64_t{1} << 60), DeviceError);
}

TEST_CASE("threads can allocate and release at the same time", "[engine]") {
  LimitedSource::Counts counts;
  const auto allocator = make_allocator(kPlenty, &counts);
  std::vector<int> damaged(4, 0);
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([&, id] {
      test::RandomData random(id);
      for (int i = 0; i < 2000; ++i) {
        const int64_t bytes = random.integer(1, 4096);
        auto* data = static_cast<unsigned char*>(allocator->allocate(bytes));
        std::memset(data, id, static_cast<size_t>(bytes));
        for (int64_t b = 0; b < bytes; ++b) damaged[id] += data[b] != id;
        allocator->release(data, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(damaged == std::vector<int>(4, 0));
  CHECK(allocator->stats().bytes_in_use == 0);
  CHECK(allocator->stats().allocations == 8000);
}

}  // namespace
}  // namespace ebb
