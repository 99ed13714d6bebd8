#include <memory>
#include <ostream>

#include "apps/cli/completion.h"
#include "apps/cli/help_text.h"
#include "apps/cli/manual.h"
#include "apps/ebb/commands.h"
#include "base/closest_name.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {

// `ebb help [COMMAND]`: the same as --help.
void add_help(Command command, const Invocation& invocation) {
  auto name = std::make_shared<std::string>();
  command.add_option("command", *name, "A command; without one, all commands");
  command.callback([name, command, &invocation] {
    const Command program = command.root();
    if (name->empty()) {
      invocation.out << help_text(record_of(program), help_width());
      return;
    }
    const auto wanted = program.subcommand(*name);
    EBB_CHECK(wanted, UsageError, "help ", terminal_safe(*name), ": unknown command.",
              did_you_mean(*name, program.subcommand_names()), " See ebb --help.");
    invocation.out << help_text(record_of(*wanted), help_width());
  });
}

// `ebb completion bash|zsh|fish`: a script for the shell.
void add_completion(Command command, const Invocation& invocation) {
  auto shell = std::make_shared<std::string>();
  add_choice(command, "shell", *shell, shell_names(), "Shell").required();
  command.callback([shell, command, &invocation] {
    invocation.out << completion_script(*shell, record_of(command.root()));
  });
}

// `ebb man DIR`: manuals of ebb and of each command. With --reference, ebb's part of
// docs/reference.md instead.
void add_man(Command command, const Invocation& invocation) {
  struct Flags {
    std::string directory;
    bool reference = false;
  };
  auto flags = std::make_shared<Flags>();
  command.hide();
  Flag directory = command.add_option("dir", flags->directory, "Directory for ebb.1 and the others")
                       .takes(FlagValue::kDirectory);
  command.add_flag("--reference", flags->reference, "Print the reference in Markdown instead")
      .excludes(directory);
  command.callback([flags, command, &invocation] {
    const CommandRecord program = record_of(command.root());
    if (flags->reference) {
      invocation.out << reference_text(program);
      return;
    }
    EBB_CHECK(!flags->directory.empty(), UsageError, "ebb man: no directory. Name one.");
    write_manuals(flags->directory, program);
  });
}

}  // namespace ebb
