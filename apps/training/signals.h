#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace ebb {

// Requests from the user or the system to a running training. The first SIGINT, SIGTERM, SIGHUP or
// SIGXCPU requests to save and stop; a second one ends the process at once and says what is saved.
// SIGUSR1 requests to save and continue. SIGPIPE and SIGXFSZ are ignored: writes report their
// errors. A signal that was ignored when the program started (nohup, a background job of a script)
// stays ignored.
void install_signal_handlers();

bool stop_requested();
bool take_save_request();  // true once per SIGUSR1

// Progress for the message of a second signal: `step` steps are done; the newest checkpoint is of
// step `saved`, -1: none.
void note_progress(int64_t step, int64_t saved);

// The command that goes on with the run, for the same message.
void note_resume_command(const std::string& command);

// kInterrupt or kTerminate, by the signal that requested the stop.
ExitCode stop_exit_code();

}  // namespace ebb
