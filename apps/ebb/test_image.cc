#include <memory>
#include <ostream>

#include "apps/cli/cli.h"
#include "apps/cli/provenance.h"
#include "apps/ebb/commands.h"
#include "base/output_file.h"
#include "base/text.h"
#include "image/png.h"
#include "image/test_images.h"

namespace ebb {
namespace {

struct Flags {
  std::string name;
  std::string output;  // empty: <name>.png
  bool force = false;
};

void run(const Flags& flags, const Invocation& invocation) {
  const RerunTarget& rerun = invocation.rerun;
  Provenance provenance;
  provenance.version = program_version();
  provenance.argv = invocation.arguments;
  provenance.legacy_key = rerun.legacy_key;
  provenance.width = provenance.height = kTestImageSide;
  const std::string path = rerun.active()         ? rerun.output
                           : flags.output.empty() ? flags.name + ".png"
                                                  : flags.output;
  if (!rerun.active()) check_image_name("-o", path, ".png");
  write_png(path, draw_test_image(flags.name), to_text_chunks(provenance),
            flags.force || rerun.active() ? Overwrite::kReplace : Overwrite::kRefuse);
  invocation.out << path_label(path) << '\n';
}

}  // namespace

// `ebb test-image NAME -o FILE`: a synthetic image to try the other commands on.
void add_test_image(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  add_choice(command, "name", flags->name, test_image_names(), "Which image").required();
  command.add_option("-o,--output", flags->output, "PNG file (NAME.png)");
  command.add_flag("--force", flags->force, "Overwrite an existing file");
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
