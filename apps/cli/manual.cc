#include "apps/cli/manual.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <utility>

#include "apps/cli/build_id.h"
#include "apps/cli/cli.h"
#include "apps/cli/completion.h"
#include "apps/cli/help_text.h"
#include "base/atomic_file.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr std::array kVariables = {
    std::pair{"EBB_DATA", "Directory of the MNIST files, where --data is not given."},
    std::pair{"EBB_DEVICE", "Device, where --device is not given."},
    std::pair{"EBB_MODELS", "Directories with models, separated by colons, searched first."},
    std::pair{"EBB_PROGRESS", "Form of progress, where --progress is not given."},
    std::pair{"EBB_THREADS", "CPU threads, where --threads is not given."},
    std::pair{"NO_COLOR", "No colors, when set and not empty."},
};

// Plain text for roff: hyphens that can be copied, no escapes, no requests.
std::string roff(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if (c == '\'') {
      result += "\\(aq";
    } else if (c == '.' && result.empty()) {
      result += "\\&.";
    } else {
      result += c;
    }
  }
  return result;
}

// "ebb-sample"
std::string page_of(const CommandRecord& command) {
  std::string name = command.name;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string roff_flags(const CommandRecord& command) {
  std::string text, group;
  for (const FlagRecord& flag : command.flags) {
    if (flag.group != group) {
      group = flag.group;
      text += ".SS " + roff(group) + "\n";
    }
    text += ".TP\n\\fB" + roff(heading_of(flag)) + "\\fR\n" + roff(full_help(flag)) + "\n";
  }
  return text;
}

std::string roff_commands(const CommandRecord& program) {
  std::string text, family;
  for (const CommandRecord& command : program.commands) {
    if (command.family != family) {
      family = command.family;
      text += ".SS " + roff(family) + "\n";
    }
    text += cat(".TP\n\\fB", roff(page_of(command)), "\\fR(1)\n", roff(command.description), "\n");
  }
  return text;
}

std::string markdown(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') result += '\\';
    result += c;
  }
  return result;
}

// `level`: number of '#' of the heading.
std::string reference_section(const CommandRecord& command, const std::string& level) {
  std::string text =
      cat(level, " ", command.name, "\n\n", markdown(command.description),
          command.description.ends_with('.') ? "" : ".", "\n\n    ", usage_of(command), "\n");
  std::string group;
  for (const FlagRecord& flag : command.flags) {
    if (flag.group == kHelpGroup) continue;
    if (flag.group != group) {
      group = flag.group;
      text += cat("\n| ", group, " | |\n|---|---|\n");
    }
    std::string heading = heading_of(flag);
    for (size_t at = 0; (at = heading.find('|', at)) != std::string::npos; at += 2) {
      heading.insert(at, 1, '\\');
    }
    text += cat("| `", heading, "` | ", markdown(full_help(flag)), " |\n");
  }
  for (const Example& example : command.examples) {
    text += cat(&example == command.examples.data() ? "\nExamples:\n\n" : "", "    ", example.line,
                "   # ", example.what, "\n");
  }
  return text + "\n";
}

}  // namespace

std::string manual_name(const CommandRecord& command) { return page_of(command) + ".1"; }

std::string manual_page(const CommandRecord& command) {
  std::string text =
      cat(".TH \"", upper(page_of(command)), "\" 1 \"", build_date(), "\" \"ebb ",
          program_version(), "\" \"ebb manual\"\n.SH NAME\n", roff(page_of(command)), " \\- ",
          roff(command.description), "\n.SH SYNOPSIS\n", roff(usage_of(command)), "\n");
  if (!command.commands.empty()) text += ".SH COMMANDS\n" + roff_commands(command);
  text += ".SH OPTIONS\n" + roff_flags(command);
  if (!command.examples.empty()) text += ".SH EXAMPLES\n";
  for (const Example& example : command.examples) {
    text += cat(".TP\n\\fB", roff(example.line), "\\fR\n", roff(example.what), "\n");
  }
  text += ".SH ENVIRONMENT\nFlags win over variables.\n";
  for (const auto& [variable, meaning] : kVariables) {
    text += cat(".TP\n\\fB", variable, "\\fR\n", roff(meaning), "\n");
  }
  return text +
         ".SH EXIT STATUS\n0: done; 1: a difference or an internal error; 2: usage; 3: a damaged "
         "file; 4: input or output; 5: device or memory; 6: training diverged; 130, 143: "
         "interrupted.\n.SH SEE ALSO\nebb(1), train_mnist(1)\n";
}

void write_manuals(const std::string& directory, const CommandRecord& program) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  EBB_CHECK(!error, IoError, path_label(directory),
            ": cannot be made: ", describe_errno(error.value()));
  const std::filesystem::path place = directory;
  write_file((place / manual_name(program)).string(), manual_page(program));
  for (const CommandRecord& command : program.commands) {
    write_file((place / manual_name(command)).string(), manual_page(command));
  }
}

std::string reference_text(const CommandRecord& program) {
  std::string text = reference_section(program, "##");
  for (const CommandRecord& command : program.commands) {
    text += reference_section(command, "###");
  }
  return text;
}

void add_document_flags(Command program) {
  const auto complete = [program](const std::string& shell) {
    std::cout << completion_script(shell, record_of(program)) << std::flush;
    throw ExitWith{0};
  };
  const auto write = [program](const std::string& directory) {
    write_manuals(directory, record_of(program));
    throw ExitWith{0};
  };
  const auto refer = [program](const std::string&) {
    std::cout << reference_text(record_of(program)) << std::flush;
    throw ExitWith{0};
  };
  add_choice_function(program, "--completion", shell_names(), complete, "Print completions")
      .hidden();
  program.add_option_function("--man", write, "Write the manual to this directory").hidden();
  add_choice_function(program, "--reference", {"markdown"}, refer, "Print the reference").hidden();
}

}  // namespace ebb
