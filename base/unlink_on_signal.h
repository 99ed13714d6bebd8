#pragma once

#include <string>

namespace ebb {

// From now on SIGINT, SIGTERM and SIGHUP remove the files of all UnlinkOnSignal objects before they
// end the process as they would have. Signals that the program handles or ignores stay with the
// program. For main(): a library leaves the signals of its process alone.
void unlink_files_on_signals();

// Removes a file if a signal ends the process while this lives, in programs that asked for that.
class UnlinkOnSignal {
 public:
  // The entry `name` of the open directory, which must stay open. Does nothing beyond a few files
  // at a time.
  UnlinkOnSignal(int directory, const std::string& name);
  UnlinkOnSignal(const UnlinkOnSignal&) = delete;
  UnlinkOnSignal& operator=(const UnlinkOnSignal&) = delete;
  ~UnlinkOnSignal();

 private:
  int slot_;  // -1: none
};

// Removes these files now. For signal handlers of programs, before they end the process.
void unlink_files_of_signals();

}  // namespace ebb
