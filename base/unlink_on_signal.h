#pragma once

#include <string>

namespace ebb {

// Removes a file if SIGINT, SIGTERM or SIGHUP ends the process while this lives; the process ends
// as it would have. Signals that the program handles or ignores stay with the program.
class UnlinkOnSignal {
 public:
  // Does nothing for an absurdly long path and beyond a few files at a time.
  explicit UnlinkOnSignal(const std::string& path);
  UnlinkOnSignal(const UnlinkOnSignal&) = delete;
  UnlinkOnSignal& operator=(const UnlinkOnSignal&) = delete;
  ~UnlinkOnSignal();

 private:
  int slot_;  // -1: none
};

}  // namespace ebb
