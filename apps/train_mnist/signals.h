#pragma once

#include "base/error.h"

namespace ebb {

// Requests from the user or the system to a running training. The first SIGINT, SIGTERM or SIGHUP
// requests to save and stop; a second one ends the process at once (the last checkpoint is intact).
// SIGUSR1 requests to save and continue. SIGPIPE and SIGXFSZ are ignored: writes report their
// errors.
void install_signal_handlers();

bool stop_requested();
bool take_save_request();  // true once per SIGUSR1

// kInterrupt or kTerminate, by the signal that requested the stop.
ExitCode stop_exit_code();

}  // namespace ebb
