#include "apps/ebb/commands.h"

#include <iostream>

#include "apps/cli/cli.h"
#include "apps/ebb/examples.h"

namespace ebb {
namespace {

constexpr const char* kDescription = "Diffusion models from the command line.";

void add_commands(Command program, const Invocation& invocation) {
  add_version_flag(program);
  program.require_subcommand();
  for (const Example& example : examples_of("ebb")) program.example(example.line, example.what);
  for (const CommandInfo& info : kCommands) {
    Command command = program.add_subcommand(info.name, info.description);
    command.family(info.family);
    if (info.alias != nullptr) command.alias(info.alias);
    for (const Example& example : examples_of(info.name)) {
      command.example(example.line, example.what);
    }
    info.add(command, invocation);
  }
}

}  // namespace

const CommandInfo* find_command(const std::string& name) {
  for (const CommandInfo& info : kCommands) {
    if (name == info.name || (info.alias != nullptr && name == info.alias)) return &info;
  }
  return nullptr;
}

void run_command(const Invocation& invocation) {
  Program program(kDescription, "ebb");
  add_commands(program, invocation);
  run_program_or_throw(program, invocation.arguments);
}

int run_ebb(const std::vector<std::string>& arguments) {
  const Invocation invocation{.arguments = arguments, .out = std::cout, .err = std::cerr};
  Program program(kDescription, "ebb");
  add_commands(program, invocation);
  return run_program(program, arguments);
}

}  // namespace ebb
