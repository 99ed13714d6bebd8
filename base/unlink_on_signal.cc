#include "base/unlink_on_signal.h"

#include <fcntl.h>
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
  int directory = -1;
  char name[NAME_MAX + 1];
};
constexpr int kSlots = 8;
Slot slots[kSlots];
static_assert(std::atomic<int>::is_always_lock_free);

void unlink_and_end(int signal) {
  unlink_files_of_signals();
  ::raise(signal);  // the default action again, once this returns (SA_RESETHAND)
}

int take_slot(int directory, const std::string& name) {
  if (name.size() >= sizeof(Slot::name)) return -1;
  for (int i = 0; i < kSlots; ++i) {
    int free = kFree;
    if (!slots[i].state.compare_exchange_strong(free, kTaken)) continue;
    slots[i].directory = directory;
    slots[i].name[name.copy(slots[i].name, name.size())] = '\0';
    slots[i].state = kArmed;
    return i;
  }
  return -1;
}

}  // namespace

void unlink_files_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    now.sa_handler = unlink_and_end;
    now.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &now, nullptr);
  }
}

UnlinkOnSignal::UnlinkOnSignal(int directory, const std::string& name)
    : slot_(take_slot(directory, name)) {}

UnlinkOnSignal::~UnlinkOnSignal() {
  if (slot_ >= 0) slots[slot_].state = kFree;
}

void unlink_files_of_signals() {
  for (const Slot& slot : slots) {
    if (slot.state.load() == kArmed) ::unlinkat(slot.directory, slot.name, 0);
  }
}

}  // namespace ebb
