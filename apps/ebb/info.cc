#include <memory>
#include <ostream>
#include <sstream>

#include "apps/cli/image_bytes.h"
#include "apps/cli/image_provenance.h"
#include "apps/cli/provenance.h"
#include "apps/ebb/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxShownLine = 1000;  // characters

struct Options {
  std::string image;
  bool json = false;
};

void print_field(std::ostream& out, const char* name, const std::string& value) {
  if (value.empty()) return;
  out << name << std::string(10 - std::string_view(name).size(), ' ') << value << "\n";
}

void print_provenance(std::ostream& out, const Provenance& p) {
  std::string seeds;
  for (const uint64_t seed : p.seeds) seeds += (seeds.empty() ? "" : " ") + std::to_string(seed);
  const std::string build = p.build.empty() ? "" : ", build " + terminal_safe(p.build);
  print_field(out, "made by", "ebb " + terminal_safe(p.version) + build);
  print_field(out, "command", shell_command(p.argv));
  print_field(out, p.seeds.size() == 1 ? "seed" : "seeds", seeds);
  print_field(out, "model", path_label(p.model));
  for (const InputFile& input : p.inputs) print_field(out, "input", path_label(input.path));
  print_field(out, "sha256", terminal_safe(p.model_sha256));
  print_field(out, "device", terminal_safe(p.device));
  if (p.scale > 1) {
    print_field(out, "scale",
                cat(p.scale, " pixels a side for each of ", p.width, " x ", p.height));
  }
}

void print_origin(std::ostream& out, const std::optional<Provenance>& provenance) {
  if (provenance) {
    print_provenance(out, *provenance);
  } else {
    out << "The image does not record an ebb command: written with --no-metadata, or not by ebb.\n";
  }
}

// Text may have many lines; each is shown on its own.
void print_text(std::ostream& out, const TextChunk& chunk) {
  out << "\n" << terminal_safe(chunk.keyword) << ":\n";
  std::istringstream lines(chunk.text);
  for (std::string line; std::getline(lines, line);) {
    out << "  " << terminal_safe(line, kMaxShownLine) << "\n";
  }
}

void print_human(std::ostream& out, const std::string& path, const PngInfo& info,
                 const std::optional<Provenance>& provenance) {
  out << path_label(path) << ": " << describe(info) << "\n";
  print_origin(out, provenance);
  for (const TextChunk& chunk : info.text) {
    if (chunk.keyword != kProvenanceKeyword) print_text(out, chunk);
  }
  for (const std::string& keyword : info.compressed_text) {
    out << "\n" << terminal_safe(keyword) << ": compressed text, not shown\n";
  }
}

void print_json(std::ostream& out, const std::string& path, const PngInfo& info, bool made_by_ebb) {
  Json text = Json::array();
  for (const TextChunk& chunk : info.text) {
    if (made_by_ebb && chunk.keyword == kProvenanceKeyword) continue;
    text.push_back({{"keyword", chunk.keyword}, {"text", chunk.text}});
  }
  Json result = {{"file", path},
                 {"width", info.width},
                 {"height", info.height},
                 {"bit_depth", info.bit_depth},
                 {"color", info.color},
                 {"interlaced", info.interlaced},
                 {"bytes", info.file_bytes}};
  if (made_by_ebb) {
    result[kProvenanceKeyword] = Json::parse(*find_text(info.text, kProvenanceKeyword));
  }
  result["text"] = text;
  result["compressed_text"] = info.compressed_text;
  out << result.dump(2, ' ', true, Json::error_handler_t::replace) << "\n";
}

// Any kind but PNG; the only text shown is ebb's.
void show_other(std::ostream& out, const Options& options, const ImageBytes& bytes) {
  const ImageFile file = read_image_file(bytes);
  if (options.json) {
    Json result = {{"file", options.image}, {"description", file.description}};
    if (file.provenance) {
      result[kProvenanceKeyword] = Json::parse(provenance_json(*file.provenance));
    }
    out << result.dump(2, ' ', true, Json::error_handler_t::replace) << "\n";
    return;
  }
  out << path_label(options.image) << ": " << file.description << "\n";
  print_origin(out, file.provenance);
}

void run(const Options& options, const Invocation& invocation) {
  const ImageBytes file(options.image);
  if (file.kind() != FileKind::kPng) return show_other(invocation.out, options, file);
  const PngInfo info = read_png_info(file.bytes(), file.label());
  for (const std::string& warning : info.warnings) {
    invocation.err << "warning: " << file.label() << ": ignored: " << terminal_safe(warning)
                   << ".\n";
  }
  const std::optional<Provenance> provenance = parse_provenance(info.text, file.label());
  if (options.json) {
    print_json(invocation.out, options.image, info, provenance.has_value());
  } else {
    print_human(invocation.out, options.image, info, provenance);
  }
}

}  // namespace

// `ebb info IMAGE [--json]`: how a PNG was made, from the text in it.
void add_info(Command command, const Invocation& invocation) {
  auto options = std::make_shared<Options>();
  command.add_option("image", options->image, "Image file, or - for standard input")
      .required()
      .takes(FlagValue::kImage);
  command.add_flag("--json", options->json, "Print one JSON object").group(kOutputGroup);
  command.callback([options, &invocation] { run(*options, invocation); });
}

}  // namespace ebb
