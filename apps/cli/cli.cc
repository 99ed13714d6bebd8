#include "apps/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <new>
#include <system_error>

#include "apps/cli/build_id.h"
#include "apps/cli/error_json.h"
#include "apps/cli/help_text.h"
#include "apps/cli/kernels_flag.h"
#include "apps/cli/usage_message.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/unlink_on_signal.h"
#include "engine/backend.h"

namespace ebb {
namespace {

constexpr int64_t kMaxThreads = 1024;

const char* kind_of(ExitCode code) {
  switch (code) {
    case ExitCode::kUsage:
      return "usage";
    case ExitCode::kFormat:
      return "format";
    case ExitCode::kIo:
      return "io";
    case ExitCode::kDevice:
      return "device";
    case ExitCode::kDiverged:
      return "diverged";
    case ExitCode::kInterrupt:
    case ExitCode::kTerminate:
      return "interrupted";
    case ExitCode::kOk:
    case ExitCode::kInternal:
      break;
  }
  return "internal";
}

Json error_object(ExitCode code, const std::string& text) {
  return {
      {"code", static_cast<int>(code)}, {"kind", kind_of(code)}, {"message", safe_message(text)}};
}

int report(ExitCode code, const std::string& text, bool as_json) {
  std::cout.flush();
  // A stop that was asked for is no error.
  const bool is_stop = code == ExitCode::kInterrupt || code == ExitCode::kTerminate;
  std::cerr << (is_stop ? "" : "error: ") << safe_message(text) << std::endl;
  if (as_json) {
    const Json error = error_object(code, text);
    std::cout << Json{{"error", error}}.dump(2, ' ', true, Json::error_handler_t::replace)
              << std::endl;
  }
  return static_cast<int>(code);
}

// "--grid=3" is an error, not a yes.
void refuse_values_of_flags(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_expected_max() == 0) option->disable_flag_override();
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    refuse_values_of_flags(*command);
  }
}

void parse(Command program, const std::vector<std::string>& arguments) {
  refuse_values_of_flags(program.app());
  std::vector<std::string> flags =
      normalized_arguments(program, {arguments.begin() + 1, arguments.end()});
  std::reverse(flags.begin(), flags.end());
  program.app().parse(flags);
}

// The answer to --help and --version, which CLI11 throws.
int answer(const Command& program, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::CallForHelp*>(&error) == nullptr) {
    const int code = program.app().exit(error);
    std::cout.flush();
    return code;
  }
  std::cout << help_text(record_of(active_command(program)), help_width()) << std::flush;
  return 0;
}

// A bad command line. Without any command the program introduces itself, too.
int report_usage(const Command& program, const CLI::ParseError& error, bool is_bare, bool as_json) {
  if (is_bare && !program.subcommand_names().empty()) {
    std::cout << help_text(record_of(program), help_width());
  }
  return report(ExitCode::kUsage, usage_message(program, error), as_json);
}

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

int64_t threads_of_environment() {
  const std::string text = environment("EBB_THREADS");
  if (text.empty()) return 0;
  int64_t threads = -1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, threads);
  EBB_CHECK(error == std::errc() && rest == end && threads >= 0 && threads <= kMaxThreads,
            UsageError, "EBB_THREADS ", terminal_safe(text), ": must be 0..", kMaxThreads,
            ". Correct the variable or unset it.");
  return threads;
}

}  // namespace

Json error_json(const Error& error) { return error_object(error.code(), error.what()); }

int run_program(Command program, const std::vector<std::string>& arguments) {
  CLI::App& app = program.app();
  std::signal(SIGXFSZ, SIG_IGN);
  unlink_files_on_signals();
  const bool as_json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  try {
    parse(program, arguments);
    EBB_CHECK(std::cout.flush(), IoError, "standard output: cannot write. Check where it goes.");
    return 0;
  } catch (const ExitWith& exit) {
    return exit.code;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return answer(program, error);
    return report_usage(program, error, arguments.size() <= 1, as_json);
  } catch (const Error& error) {
    return report(error.code(), error.what(), as_json);
  } catch (const std::bad_alloc&) {
    return report(ExitCode::kDevice,
                  "out of host memory. Use a smaller --batch-size or a smaller file.", as_json);
  } catch (const std::system_error& error) {  // of files and directories
    return report(ExitCode::kIo, cat(error.what(), ". ", errno_advice(error.code().value())),
                  as_json);
  } catch (const std::exception& error) {
    return report(ExitCode::kInternal,
                  cat("internal: ", error.what(), ". This is a bug of ", app.get_name(), " ",
                      program_version(), ", please report it."),
                  as_json);
  }
}

void run_program_or_throw(Command program, const std::vector<std::string>& arguments) {
  try {
    parse(program, arguments);
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(program, error));
  }
}

void add_version_flag(Command program) {
  CLI::App& app = program.app();
  app.set_version_flag("-V,--version", [name = app.get_name()] { return version_text(name); });
}

void add_device_flags(Command command, DeviceFlags& flags) {
  const std::string device = environment("EBB_DEVICE");
  if (!device.empty()) flags.device = device;
  command.add_option("--device", flags.device, "Device: auto, cpu, cuda, or cuda:N ($EBB_DEVICE)")
      .show_default()
      .group(kMachineGroup);
  add_integer(command, "--threads", flags.threads, 0, kMaxThreads,
              "CPU threads (0: $EBB_THREADS, OMP_NUM_THREADS, or all it may use)")
      .group(kMachineGroup);
  add_bytes(command, "--memory-limit", flags.memory_limit,
            "Memory for weights and images at most (what the device has)")
      .group(kMachineGroup);
  add_precision_flag(command, flags);
  add_kernels_flag(command, flags.kernels);
}

void add_precision_flag(Command command, DeviceFlags& flags) {
  add_choice(command, "--precision", flags.precision_name, {"f32", "tf32", "bf16", "f16"},
             "Precision on a GPU (f32; tf32: f32 rounded by tensor cores; bf16, f16: 16-bit "
             "activations)")
      .group(kMachineGroup);
}

std::unique_ptr<Context> make_context(const DeviceFlags& flags) {
  return make_context(
      {.device = flags.device,
       .threads = static_cast<int>(flags.threads == DeviceFlags::kThreadsNotGiven
                                       ? threads_of_environment()
                                       : flags.threads),
       .precision = flags.precision(),
       .kernels = flags.kernels == "direct" ? KernelChoice::kDirect : KernelChoice::kDefault,
       .memory_limit = static_cast<int64_t>(flags.memory_limit),
       .on_remark = [](const std::string& remark) { std::cerr << remark << '\n'; }});
}

}  // namespace ebb
