#include <cstring>

#include "emulator/checker.h"
#include "emulator/engine.h"
#include "emulator/memory.h"

// cp.async. The destination turns to NaN bytes when the copy is issued and the copy itself happens
// as late as the program allows, in the wait: a read that comes too early gets NaN.
namespace ebb::simt::emulator {

void cp_async(void* dst, const void* src, int bytes, bool valid, Site site) {
  engine::Thread& self = engine::engine().self();
  self.site = site;
  const size_t n = static_cast<size_t>(bytes);
  engine::require_shared(dst, n, n, "cp.async");
  if (valid) engine::check_access(src, n, engine::Access::kRead, nullptr);
  if (valid && reinterpret_cast<uintptr_t>(src) % n != 0) {
    engine::fail("misaligned: cp.async at ", engine::to_string(site), " reads ",
                 engine::describe_address(src), ", must be aligned to ", n, " bytes");
  }
  engine::check_access(dst, n, engine::Access::kWrite, nullptr);
  engine::check_in_flight(dst, n, true);
  std::memset(dst, 0xff, n);
  self.open_copies.push_back({dst, src, bytes, valid});
}

void cp_async_commit(Site site) {
  engine::Thread& self = engine::engine().self();
  self.site = site;
  self.committed_copies.push_back(std::move(self.open_copies));
  self.open_copies.clear();
}

void cp_async_wait(int pending, Site site) {
  engine::Thread& self = engine::engine().self();
  self.site = site;
  auto& groups = self.committed_copies;
  while (static_cast<int>(groups.size()) > pending) {
    for (const engine::AsyncCopy& copy : groups.front()) {
      const size_t n = static_cast<size_t>(copy.bytes);
      if (copy.valid) {
        std::memcpy(copy.dst, copy.src, n);
      } else {
        std::memset(copy.dst, 0, n);
      }
      engine::check_in_flight(copy.dst, n, false);
      engine::check_access(copy.dst, n, engine::Access::kWrite, nullptr);
    }
    groups.erase(groups.begin());
  }
}

}  // namespace ebb::simt::emulator
