#include "base/thread_team.h"

#include <signal.h>

#include <chrono>
#include <exception>
#include <initializer_list>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ebb {
namespace {

// A thread that sleeps takes about as long to wake: shorter gaps between parallel loops, the usual
// ones in a network, cost no system call, and a busy machine loses no more than this for each.
constexpr std::chrono::microseconds kSpin{20};

void pause_spinning() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The value of `word` once it is no longer `old`.
uint32_t wait_while(const std::atomic<uint32_t>& word, uint32_t old) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      const uint32_t now = word.load(std::memory_order_acquire);
      if (now != old) return now;
      pause_spinning();
    }
  } while (std::chrono::steady_clock::now() < end);
  word.wait(old, std::memory_order_acquire);
  return word.load(std::memory_order_acquire);
}

// Signals are for the threads of the program; those that report a fault stay.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF}) {
      sigdelset(&blocked, fault);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_;
};

// Whether this thread runs the body of a team.
thread_local bool inside_body = false;

// A caller and its threads, which join a job while it is open.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    stop_ = true;
    call(static_cast<int>(threads_.size()));
    for (std::thread& thread : threads_) thread.join();
  }

  void run(int members, TaskQueue& tasks, TeamBody body) {
    grow(members - 1);
    tasks_ = &tasks;
    body_ = body;
    members_ = members;
    next_member_.store(1, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
    entry_.store(kOpen, std::memory_order_release);
    call(members - 1);
    work(0);
    // Closed: who comes now finds no way in, and who is inside is waited for.
    uint32_t inside = entry_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
    while (inside != 0) inside = wait_while(entry_, inside);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  // entry_: whether the job may be joined, and how many threads are inside.
  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  // Where the system gives no more threads, those that there are do the work.
  void grow(int threads) {
    if (threads <= static_cast<int>(threads_.size())) return;
    const BlockSignals block;
    try {
      while (static_cast<int>(threads_.size()) < threads) {
        threads_.emplace_back([this, seen = calls_.load()] { serve(seen); });
      }
    } catch (const std::system_error&) {
    }
  }

  // Wakes as many threads as there is work for. Those that spin see the call, too: next_member_
  // sends home who is too many.
  void call(int threads) {
    calls_.fetch_add(1);
    if (threads >= static_cast<int>(threads_.size())) return calls_.notify_all();
    for (int i = 0; i < threads; ++i) calls_.notify_one();
  }

  void serve(uint32_t seen) {
    inside_body = true;
    for (;;) {
      seen = wait_while(calls_, seen);
      if (stop_) return;
      if (!enter()) continue;
      const int member = next_member_.fetch_add(1, std::memory_order_relaxed);
      if (member < members_ && tasks_->has_more()) work(member);
      if (entry_.fetch_sub(1) == 1) entry_.notify_one();
    }
  }

  bool enter() {
    uint32_t now = entry_.load(std::memory_order_relaxed);
    do {
      if ((now & kOpen) == 0) return false;
    } while (!entry_.compare_exchange_weak(now, now + 1, std::memory_order_acquire));
    return true;
  }

  void work(int member) noexcept {
    try {
      body_.call(body_.body, *tasks_, member);
    } catch (...) {
      tasks_->drop_rest();
      if (!failed_.exchange(true)) error_ = std::current_exception();
    }
  }

  std::vector<std::thread> threads_;
  // Set while the job is closed, read by those inside.
  TaskQueue* tasks_ = nullptr;
  TeamBody body_ = {};
  int members_ = 0;
  std::exception_ptr error_;  // of whoever set failed_
  std::atomic<bool> failed_ = false;
  std::atomic<int> next_member_ = 0;
  std::atomic<bool> stop_ = false;
  alignas(64) std::atomic<uint32_t> entry_ = 0;
  alignas(64) std::atomic<uint32_t> calls_ = 0;
};

// Marks the caller for as long as a body runs on it.
class InsideBody {
 public:
  InsideBody() { inside_body = true; }
  ~InsideBody() { inside_body = false; }
  InsideBody(const InsideBody&) = delete;
  InsideBody& operator=(const InsideBody&) = delete;
};

}  // namespace

void run_team(int members, TaskQueue& tasks, TeamBody body) {
  if (members <= 1 || inside_body) return body.call(body.body, tasks, 0);
  thread_local Team team;
  const InsideBody inside;
  team.run(members, tasks, body);
}

}  // namespace ebb
