#include <ostream>

#include "apps/ebb/commands.h"
#include "engine/backend.h"

namespace ebb {

// `ebb devices`: the values of --device that work here, and why the others don't.
void add_devices(Command command, const Invocation& invocation) {
  command.callback([&invocation] {
    for (const std::string& line : list_devices()) invocation.out << line << '\n';
  });
}

}  // namespace ebb
