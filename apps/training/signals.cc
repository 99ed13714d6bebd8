#include "apps/training/signals.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <string_view>

#include "base/unlink_on_signal.h"

namespace ebb {
namespace {

volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t save_signal = 0;
std::atomic<int64_t> steps_done = 0, step_saved = -1;
volatile std::sig_atomic_t on_terminal = 0;
static_assert(std::atomic<int64_t>::is_always_lock_free);
std::array<char, 4096> resume_text = {};  // ends with 0

ExitCode code_of(int signal) {
  return signal == SIGINT ? ExitCode::kInterrupt : ExitCode::kTerminate;
}

// A line on standard error, put together without what a signal handler may not call.
class HandlerLine {
 public:
  HandlerLine& operator<<(std::string_view text) {
    for (const char c : text) {
      if (length_ < sizeof text_) text_[length_++] = c;
    }
    return *this;
  }
  HandlerLine& operator<<(int64_t number) {
    const auto [end, error] = std::to_chars(text_ + length_, text_ + sizeof text_, number);
    if (error == std::errc()) length_ = static_cast<size_t>(end - text_);
    return *this;
  }
  void print() const { [[maybe_unused]] const ssize_t put = ::write(2, text_, length_); }

 private:
  char text_[4600];
  size_t length_ = 0;
};

void end_at_once(int signal) {
  unlink_files_of_signals();
  const int64_t done = steps_done, saved = step_saved;
  HandlerLine line;
  if (on_terminal) line << "\n";  // below the progress line
  line << "stopped at once by a second signal after step " << done;
  if (saved < 0) {
    line << ". Nothing was saved.\n";
  } else if (saved < done) {
    line << ": the steps after " << saved
         << " are lost. Continue from its checkpoint with: " << resume_text.data() << "\n";
  } else {
    line << ", which is saved. Continue with: " << resume_text.data() << "\n";
  }
  line.print();
  _exit(static_cast<int>(code_of(signal)));
}

void on_stop(int signal) {
  if (stop_signal != 0) end_at_once(signal);
  stop_signal = signal;
}

void on_save(int) { save_signal = 1; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  on_terminal = ::isatty(2);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) handle(signal, on_stop);
  handle(SIGUSR1, on_save);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);
}

bool stop_requested() { return stop_signal != 0; }

bool take_save_request() {
  const bool requested = save_signal != 0;
  save_signal = 0;
  return requested;
}

void note_progress(int64_t step, int64_t saved) {
  steps_done = step;
  step_saved = saved;
}

void note_resume_command(const std::string& command) {
  const size_t length = std::min(command.size(), resume_text.size() - 1);
  std::copy_n(command.begin(), length, resume_text.begin());
}

ExitCode stop_exit_code() { return code_of(stop_signal); }

}  // namespace ebb
