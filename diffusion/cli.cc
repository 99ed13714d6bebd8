#include "diffusion/cli.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <iostream>
#include <new>
#include <nlohmann/json.hpp>

#include "diffusion/kernels_flag.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxMessage = 2000;  // characters of a message that quotes the command line

// How CLI11 words "--grid=3" for a flag without value; the flag's name comes first.
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

int report(ExitCode code, const std::string& message, bool as_json) {
  std::cout.flush();
  std::cerr << "error: " << message << std::endl;
  if (as_json) {
    const nlohmann::ordered_json error = {
        {"code", static_cast<int>(code)}, {"kind", kind_of(code)}, {"message", message}};
    std::cout << nlohmann::ordered_json{{"error", error}}.dump(
                     2, ' ', false, nlohmann::json::error_handler_t::replace)
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

// What the parser could not place: the first unknown flag, else the first word.
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

// The long name among "-s,--seed", else the last one.
std::string flag_of(const std::string& names) {
  const size_t found = names.find("--");
  if (found == std::string::npos) return names.substr(names.rfind(',') + 1);
  return names.substr(found, names.find(',', found) - found);
}

template <typename T>
CLI::Option* add_value(CLI::App& app, const std::string& names, T& value, T low, T high,
                       const char* type, const std::string& help) {
  const auto read = [&value, low, high, flag = flag_of(names)](const std::string& text) {
    T parsed{};
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, parsed);
    // NaN fails the comparisons.
    const bool valid = error == std::errc() && rest == end && parsed >= low && parsed <= high;
    EBB_CHECK(valid, UsageError, flag, " ", terminal_safe(text), ": must be ",
              std::is_integral_v<T> ? "" : "a number from ", low,
              std::is_integral_v<T> ? ".." : " to ", high);
    value = parsed;
  };
  return app.add_option_function<std::string>(names, read, help)
      ->type_name(cat(type, " ", low, "..", high));
}

void parse(CLI::App& app, const std::vector<std::string>& arguments) {
  refuse_values_of_flags(app);
  std::vector<std::string> flags = with_dashes({arguments.begin() + 1, arguments.end()});
  std::reverse(flags.begin(), flags.end());
  app.parse(flags);
}

}  // namespace

int run_program(CLI::App& app, const std::vector<std::string>& arguments) {
  std::signal(SIGXFSZ, SIG_IGN);
  const bool as_json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  try {
    parse(app, arguments);
    EBB_CHECK(std::cout.flush(), IoError, "standard output: cannot write. Check where it goes.");
    return 0;
  } catch (const CLI::ParseError& error) {
    const bool asks_for_text = error.get_exit_code() == 0;
    if (asks_for_text || dynamic_cast<const CLI::RuntimeError*>(&error) != nullptr) {
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
  } catch (const std::exception& error) {
    return report(ExitCode::kInternal,
                  cat("internal: ", error.what(), ". This is a bug of ", app.get_name(), " ",
                      program_version(), ", please report it."),
                  as_json);
  }
}

void run_program_or_throw(CLI::App& app, const std::vector<std::string>& arguments) {
  try {
    parse(app, arguments);
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(app, error));
  }
}

void add_version_flag(CLI::App& app) {
  app.set_version_flag("--version", cat(app.get_name(), " ", program_version()));
}

const char* program_version() { return EBB_VERSION; }

CLI::Option* add_integer(CLI::App& app, const std::string& names, int64_t& value, int64_t low,
                         int64_t high, const std::string& help) {
  return add_value(app, names, value, low, high, "INT", help);
}

CLI::Option* add_number(CLI::App& app, const std::string& names, double& value, double low,
                        double high, const std::string& help) {
  return add_value(app, names, value, low, high, "NUMBER", help);
}

CLI::Option* add_choice(CLI::App& app, const std::string& names, std::string& value,
                        const std::vector<std::string>& choices, const std::string& help) {
  std::string expected;
  for (const std::string& choice : choices) expected += (expected.empty() ? "" : ", ") + choice;
  const auto read = [&value, choices, expected, flag = flag_of(names)](const std::string& text) {
    EBB_CHECK(std::find(choices.begin(), choices.end(), text) != choices.end(), UsageError, flag,
              " ", terminal_safe(text), ": must be one of ", expected);
    value = text;
  };
  return app.add_option_function<std::string>(names, read, help + ": " + expected)
      ->type_name("NAME");
}

void add_device_flags(CLI::App& app, DeviceFlags& flags) {
  app.add_option("--device", flags.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  add_integer(app, "--threads", flags.threads, 0, 1024, "CPU threads; 0: all (default)");
  add_kernels_flag(app);
}

}  // namespace ebb
