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
#include "apps/cli/kernels_flag.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/unlink_on_signal.h"
#include "engine/backend.h"

namespace ebb {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr size_t kMaxMessage = 2000;  // characters of a message that quotes the command line

// CLI11's message for "--grid=3" when the flag takes no value; the flag's name precedes it.
constexpr const char* kValueOfFlag = " was given a disallowed flag override";

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
  std::cerr << "error: " << safe_message(text) << std::endl;
  if (as_json) {
    const Json error = error_object(code, text);
    std::cout << Json{{"error", error}}.dump(2, ' ', true, Json::error_handler_t::replace)
              << std::endl;
  }
  return static_cast<int>(code);
}

// "--cfg_scale=5" -> "--cfg-scale=5"; what follows a bare "--" is no flag.
std::vector<std::string> with_dashes(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    std::replace(
        argument.begin(),
        argument.begin() + static_cast<int64_t>(std::min(argument.find('='), argument.size())), '_',
        '-');
  }
  return arguments;
}

// The app whose flags were being read: the chosen subcommand or the program.
const CLI::App& active(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : active(*chosen.front());
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : full_name(*app.get_parent()) + " " + app.get_name();
}

std::string command_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  return names;
}

// The argument that the parser rejected: the first unknown flag, else the first extra word.
std::string unexpected_argument(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  const auto is_flag = [](const std::string& extra) { return extra.size() > 1 && extra[0] == '-'; };
  const auto flag = std::find_if(extras.begin(), extras.end(), is_flag);
  if (flag != extras.end()) return *flag;
  return extras.empty() ? "" : extras.front();
}

// CLI11's report on a bad command line as one line that starts with the flag.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = active(app);
  const std::string name = full_name(command), commands = command_names(command);
  const std::string help = "See " + name + " --help.";
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const bool is_surplus = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const std::string extra = unexpected_argument(app);
  if (!extra.empty() && (is_surplus || is_missing)) {
    const std::string shown = terminal_safe(extra);
    if (extra[0] == '-') return cat(shown, ": unknown flag of ", name, ". ", help);
    if (commands.empty()) return cat(shown, ": unexpected argument of ", name, ". ", help);
    return cat(shown, ": unknown command, expected one of ", commands, ". ", help);
  }
  if (is_missing && !commands.empty()) {
    return cat(name, ": no command given, expected one of ", commands, ". ", help);
  }
  const std::string text = terminal_safe(error.what(), kMaxMessage);
  if (const size_t end = text.find(kValueOfFlag); end != std::string::npos) {
    return cat("--", text.substr(0, end), ": takes no value. ", help);
  }
  return cat(text.starts_with('-') ? "" : name + ": ", text, ". ", help);
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

void parse(CLI::App& app, const std::vector<std::string>& arguments) {
  refuse_values_of_flags(app);
  std::vector<std::string> flags = with_dashes({arguments.begin() + 1, arguments.end()});
  std::reverse(flags.begin(), flags.end());
  app.parse(flags);
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
    parse(app, arguments);
    EBB_CHECK(std::cout.flush(), IoError, "standard output: cannot write. Check where it goes.");
    return 0;
  } catch (const ExitWith& exit) {
    return exit.code;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      const int code = app.exit(error);
      std::cout.flush();
      return code;
    }
    return report(ExitCode::kUsage, usage_message(app, error), as_json);
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
  CLI::App& app = program.app();
  try {
    parse(app, arguments);
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(app, error));
  }
}

void add_version_flag(Command program) {
  CLI::App& app = program.app();
  app.set_version_flag("--version", [name = app.get_name()] { return version_text(name); });
}

void add_device_flags(Command command, DeviceFlags& flags) {
  const std::string device = environment("EBB_DEVICE");
  if (!device.empty()) flags.device = device;
  command.add_option("--device", flags.device, "Device: auto, cpu, cuda, or cuda:N ($EBB_DEVICE)")
      .show_default();
  add_integer(command, "--threads", flags.threads, 0, kMaxThreads,
              "CPU threads (0: $EBB_THREADS, OMP_NUM_THREADS, or all it may use)");
  add_precision_flag(command, flags);
  add_kernels_flag(command, flags.kernels);
}

void add_precision_flag(Command command, DeviceFlags& flags) {
  add_choice(command, "--precision", flags.precision_name, {"f32", "tf32", "bf16", "f16"},
             "Precision on a GPU (f32; tf32: f32 rounded by tensor cores; bf16, f16: 16-bit "
             "activations)");
}

std::unique_ptr<Context> make_context(const DeviceFlags& flags) {
  return make_context(
      {.device = flags.device,
       .threads = static_cast<int>(flags.threads == DeviceFlags::kThreadsNotGiven
                                       ? threads_of_environment()
                                       : flags.threads),
       .precision = flags.precision(),
       .kernels = flags.kernels == "direct" ? KernelChoice::kDirect : KernelChoice::kDefault,
       .on_remark = [](const std::string& remark) { std::cerr << remark << '\n'; }});
}

}  // namespace ebb
