#include <memory>
#include <ostream>

#include "apps/cli/build_id.h"
#include "apps/cli/canonical_command.h"
#include "apps/cli/cli.h"
#include "apps/cli/provenance.h"
#include "apps/cli/results.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
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
  bool no_metadata = false;
  bool json = false;
};

void run(const Flags& flags, const Invocation& invocation) {
  const RerunTarget& rerun = invocation.rerun;
  Results results(invocation.out, flags.json);
  Provenance provenance;
  provenance.version = program_version();
  provenance.build = build_commit();
  provenance.argv = canonical_command(invocation.arguments);
  provenance.legacy_key = rerun.legacy_key;
  provenance.width = provenance.height = kTestImageSide;
  const std::string path = rerun.active()         ? rerun.output
                           : flags.output.empty() ? flags.name + ".png"
                                                  : flags.output;
  if (!rerun.active()) check_image_name("-o", path, ".png");
  results.check_output("-o", path);
  write_png(path, draw_test_image(flags.name),
            flags.no_metadata ? TextChunks{} : to_text_chunks(provenance),
            flags.force || rerun.active() ? Overwrite::kReplace : Overwrite::kRefuse);
  results.text() << path_label(path) << '\n';
  results.set_command(provenance);
  results.add_image(path, "image", kTestImageSide, kTestImageSide, provenance);
  results.print();
}

}  // namespace

// `ebb test-image NAME -o FILE`: a synthetic image to try the other commands on.
void add_test_image(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  add_choice(command, "name", flags->name, test_image_names(), "Which image").required();
  command.add_option("-o,--output", flags->output, "PNG file (NAME.png)")
      .takes(FlagValue::kFile)
      .group(kOutputGroup);
  command.add_flag("--force", flags->force, "Overwrite an existing file").group(kOutputGroup);
  add_no_metadata_flag(command, flags->no_metadata);
  add_json_flag(command, flags->json);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
