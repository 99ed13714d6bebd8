#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace ebb {

// The frame of every program: parses `arguments` (program name first), runs the callback of `app`
// or of the chosen subcommand, and returns the process's exit code. Whatever goes wrong ends in one
// line "error: ..." on stderr, with --json also in {"error": {"code", "kind", "message"}} on
// stdout. A callback that wants an exit code without a message throws CLI::RuntimeError(code).
//
// Flags may be written with '_' for '-'. A file size limit (SIGXFSZ) is an error, not a signal.
int run_program(CLI::App& app, const std::vector<std::string>& arguments);

// The same inside a program that is already running: what goes wrong is thrown, a bad command line
// as UsageError. Output streams are left as they are.
void run_program_or_throw(CLI::App& app, const std::vector<std::string>& arguments);

// Adds "--version", which prints "<name> <version>".
void add_version_flag(CLI::App& app);
const char* program_version();  // "0.1.0"

// Options with checked values. Anything but a number in low..high is a UsageError that names the
// flag, the value and the range. `value` holds the default.
CLI::Option* add_integer(CLI::App& app, const std::string& names, int64_t& value, int64_t low,
                         int64_t high, const std::string& help);
CLI::Option* add_number(CLI::App& app, const std::string& names, double& value, double low,
                        double high, const std::string& help);
CLI::Option* add_choice(CLI::App& app, const std::string& names, std::string& value,
                        const std::vector<std::string>& choices, const std::string& help);

// --device and --threads, as make_context() takes them.
struct DeviceFlags {
  std::string device = "auto";
  int64_t threads = 0;
};
void add_device_flags(CLI::App& app, DeviceFlags& flags);

}  // namespace ebb
