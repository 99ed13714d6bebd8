#include "apps/train_mnist/signals.h"

#include <unistd.h>

#include <csignal>

namespace ebb {
namespace {

volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t save_signal = 0;

ExitCode code_of(int signal) {
  return signal == SIGINT ? ExitCode::kInterrupt : ExitCode::kTerminate;
}

void on_stop(int signal) {
  if (stop_signal != 0) _exit(static_cast<int>(code_of(signal)));
  stop_signal = signal;
}

void on_save(int) { save_signal = 1; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal, on_stop);
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

ExitCode stop_exit_code() { return code_of(stop_signal); }

}  // namespace ebb
