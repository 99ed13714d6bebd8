#include "base/unlink_on_signal.h"

#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>

namespace ebb {
namespace {

enum State : int { kFree, kTaken, kArmed };

// Read by the handler, which may neither wait nor use what might be freed.
struct Slot {
  std::atomic<int> state = kFree;
  char path[PATH_MAX];
};
constexpr int kSlots = 8;
Slot slots[kSlots];
static_assert(std::atomic<int>::is_always_lock_free);

void unlink_and_end(int signal) {
  for (const Slot& slot : slots) {
    if (slot.state.load() == kArmed) ::unlink(slot.path);
  }
  ::raise(signal);  // the default action again, once this returns (SA_RESETHAND)
}

void install_handlers() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    now.sa_handler = unlink_and_end;
    now.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &now, nullptr);
  }
}

int take_slot(const std::string& path) {
  if (path.size() >= sizeof(Slot::path)) return -1;
  for (int i = 0; i < kSlots; ++i) {
    int free = kFree;
    if (!slots[i].state.compare_exchange_strong(free, kTaken)) continue;
    slots[i].path[path.copy(slots[i].path, path.size())] = '\0';
    slots[i].state = kArmed;
    return i;
  }
  return -1;
}

}  // namespace

UnlinkOnSignal::UnlinkOnSignal(const std::string& path) {
  install_handlers();
  slot_ = take_slot(path);
}

UnlinkOnSignal::~UnlinkOnSignal() {
  if (slot_ >= 0) slots[slot_].state = kFree;
}

}  // namespace ebb
