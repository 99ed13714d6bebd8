#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/command.h"
#include "engine/context.h"

namespace ebb {

// The frame of every program: parses `arguments` (program name first), runs the callback of
// `program` or of the chosen subcommand, and returns the process's exit code. Whatever goes wrong
// ends in one line "error: ..." on stderr, with --json also in {"error": {"code", "kind",
// "message"}} on stdout.
//
// Flags may be written with '_' for '-'. A file size limit (SIGXFSZ) is an error, not a signal.
int run_program(Command program, const std::vector<std::string>& arguments);

// The same inside a program that is already running: what goes wrong is thrown, a bad command line
// as UsageError. Output streams are left as they are.
void run_program_or_throw(Command program, const std::vector<std::string>& arguments);

// Thrown by a callback to set an exit code without a message.
struct ExitWith {
  int code;
};

// Adds "--version", which prints version_text().
void add_version_flag(Command program);
const char* program_version();  // "0.1.0"

// --device, --threads, --precision and --kernels. $EBB_DEVICE and $EBB_THREADS stand in for the
// first two where they are not given.
struct DeviceFlags {
  static constexpr int64_t kThreadsNotGiven = -1;

  std::string device = "auto";
  int64_t threads = kThreadsNotGiven;  // 0: all
  std::string precision_name = "f32";
  std::string kernels = "default";  // add_kernels_flag()
  uint64_t memory_limit = 0;        // bytes; 0: what the device has

  Precision precision() const { return parse_precision(precision_name); }
};
void add_device_flags(Command command, DeviceFlags& flags);
void add_precision_flag(Command command, DeviceFlags& flags);  // part of the above

// Opens the requested device; throws as make_context() of engine/backend.h.
std::unique_ptr<Context> make_context(const DeviceFlags& flags);

}  // namespace ebb
