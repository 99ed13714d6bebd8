#pragma once

#include <string>

namespace ebb {

// Removes a file if SIGINT, SIGTERM or SIGHUP ends the process while this lives; the process ends
// as it would have. Signals that the program handles or ignores stay with the program.
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
