#include "base/thread_team.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ebb {
namespace {

// A thread that sleeps takes about as long to wake: shorter gaps between parallel loops, the usual
// ones in a network, cost no system call, and a busy machine loses no more than this for each.
constexpr std::chrono::microseconds kSpin{50};

void pause_spinning() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A number that one thread waits for, by a futex: std::atomic::wait of libstdc++ calls sched_yield
// before it sleeps, and beside busy loops steps took about twice as long with it. With oneTBB,
// which yields as well, 50 guided steps beside four loops on two cores took 4.7 s, with these
// teams 1.3 s (taking turns in one run, on a machine with other work; bench/busy_machine.py).
class Signal {
 public:
  std::atomic<uint32_t> value = 0;

  // The value once it is no longer `old`.
  uint32_t wait_while(uint32_t old) {
    const auto end = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 16; ++i) {
        const uint32_t now = value.load(std::memory_order_acquire);
        if (now != old) return now;
        pause_spinning();
      }
    } while (std::chrono::steady_clock::now() < end);
    asleep_.fetch_add(1);
    while (value.load() == old) futex(FUTEX_WAIT_PRIVATE, old);
    asleep_.fetch_sub(1);
    return value.load(std::memory_order_acquire);
  }

  // After the value has changed: wakes the thread that waits, if it sleeps.
  void wake() {
    if (asleep_.load() != 0) futex(FUTEX_WAKE_PRIVATE, 1);
  }

  void add_and_wake() {
    value.fetch_add(1);
    wake();
  }

 private:
  static_assert(sizeof(std::atomic<uint32_t>) == 4 && std::atomic<uint32_t>::is_always_lock_free);

  void futex(int operation, uint32_t argument) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&value), operation, argument, nullptr, nullptr,
            0);
  }

  std::atomic<uint32_t> asleep_ = 0;
};

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

// A caller and its threads. The caller waits until each thread that it called has been there, even
// for one that comes when all tasks are taken: on a busy machine callers that went on without them
// took twice as long (Linux 6.18), since the late ones then met the next loop in its middle.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    stop_ = true;
    for (const auto& helper : helpers_) helper->called.add_and_wake();
    for (const auto& helper : helpers_) helper->thread.join();
  }

  void run(int members, TaskQueue& tasks, TeamBody body) {
    const size_t helpers = grow(static_cast<size_t>(members - 1));
    tasks_ = &tasks;
    body_ = body;
    failed_.store(false, std::memory_order_relaxed);
    at_work_.value.store(static_cast<uint32_t>(helpers), std::memory_order_relaxed);
    for (size_t i = 0; i < helpers; ++i) helpers_[i]->called.add_and_wake();
    work(0);
    while (const uint32_t left = at_work_.value.load(std::memory_order_acquire)) {
      at_work_.wait_while(left);
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  struct alignas(64) Helper {
    Signal called;  // the number of loops it was called for
    std::thread thread;
  };

  // Threads for one loop: where the system gives no more, those that there are do the work.
  size_t grow(size_t wanted) {
    if (wanted <= helpers_.size()) return wanted;
    helpers_.reserve(wanted);
    const BlockSignals block;
    try {
      while (helpers_.size() < wanted) {
        auto helper = std::make_unique<Helper>();
        const int member = static_cast<int>(helpers_.size()) + 1;
        helper->thread =
            std::thread([this, called = &helper->called, member] { serve(*called, member); });
        helpers_.push_back(std::move(helper));
      }
    } catch (const std::system_error&) {
    }
    return helpers_.size();
  }

  void serve(Signal& called, int member) {
    inside_body = true;
    for (uint32_t loops = 0;;) {
      loops = called.wait_while(loops);
      if (stop_) return;
      if (tasks_->has_more()) work(member);
      if (at_work_.value.fetch_sub(1) == 1) at_work_.wake();
    }
  }

  void work(int member) noexcept {
    try {
      body_.call(body_.body, *tasks_, member);
    } catch (...) {
      tasks_->drop_rest();
      if (!failed_.exchange(true)) error_ = std::current_exception();
    }
  }

  std::vector<std::unique_ptr<Helper>> helpers_;
  // Set while no helper is at work.
  TaskQueue* tasks_ = nullptr;
  TeamBody body_ = {};
  std::exception_ptr error_;  // of the member that set failed_
  std::atomic<bool> failed_ = false;
  std::atomic<bool> stop_ = false;
  alignas(64) Signal at_work_;  // helpers that have not ended the loop
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
