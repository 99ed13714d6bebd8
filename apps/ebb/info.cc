#include "apps/ebb/info.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/cli/image_bytes.h"
#include "apps/cli/image_provenance.h"
#include "apps/cli/provenance.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxShownLine = 1000;  // characters

struct Options {
  std::string image;
  bool json = false;
};

void print_field(const char* name, const std::string& value) {
  if (value.empty()) return;
  std::cout << name << std::string(10 - std::string_view(name).size(), ' ') << value << "\n";
}

void print_provenance(const Provenance& p) {
  std::string seeds;
  for (const uint64_t seed : p.seeds) seeds += (seeds.empty() ? "" : " ") + std::to_string(seed);
  print_field("made by", "ebb " + terminal_safe(p.version));
  print_field("command", shell_command(p.argv));
  print_field(p.seeds.size() == 1 ? "seed" : "seeds", seeds);
  print_field("model", path_label(p.model));
  for (const InputFile& input : p.inputs) print_field("input", path_label(input.path));
  print_field("sha256", terminal_safe(p.model_sha256));
  print_field("device", terminal_safe(p.device));
}

void print_origin(const std::optional<Provenance>& provenance) {
  if (provenance) {
    print_provenance(*provenance);
  } else {
    std::cout << "The image does not say which ebb command made it.\n";
  }
}

// Text may have many lines; each is shown on its own.
void print_text(const TextChunk& chunk) {
  std::cout << "\n" << terminal_safe(chunk.keyword) << ":\n";
  std::istringstream lines(chunk.text);
  for (std::string line; std::getline(lines, line);) {
    std::cout << "  " << terminal_safe(line, kMaxShownLine) << "\n";
  }
}

void print_human(const std::string& path, const PngInfo& info,
                 const std::optional<Provenance>& provenance) {
  std::cout << path_label(path) << ": " << describe(info) << "\n";
  print_origin(provenance);
  for (const TextChunk& chunk : info.text) {
    if (chunk.keyword != kProvenanceKeyword) print_text(chunk);
  }
  for (const std::string& keyword : info.compressed_text) {
    std::cout << "\n" << terminal_safe(keyword) << ": compressed text, not shown\n";
  }
}

void print_json(const std::string& path, const PngInfo& info, bool made_by_ebb) {
  nlohmann::ordered_json text = nlohmann::ordered_json::array();
  for (const TextChunk& chunk : info.text) {
    if (made_by_ebb && chunk.keyword == kProvenanceKeyword) continue;
    text.push_back({{"keyword", chunk.keyword}, {"text", chunk.text}});
  }
  nlohmann::ordered_json result = {{"file", path},
                                   {"width", info.width},
                                   {"height", info.height},
                                   {"bit_depth", info.bit_depth},
                                   {"color", info.color},
                                   {"interlaced", info.interlaced},
                                   {"bytes", info.file_bytes}};
  if (made_by_ebb) {
    result[kProvenanceKeyword] =
        nlohmann::ordered_json::parse(*find_text(info.text, kProvenanceKeyword));
  }
  result["text"] = text;
  result["compressed_text"] = info.compressed_text;
  std::cout << result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

// Any kind but PNG; the only text shown is ebb's.
void show_other(const Options& options, const ImageBytes& bytes) {
  const ImageFile file = read_image_file(bytes);
  if (options.json) {
    nlohmann::ordered_json result = {{"file", options.image}, {"description", file.description}};
    if (file.provenance) {
      result[kProvenanceKeyword] = nlohmann::ordered_json::parse(provenance_json(*file.provenance));
    }
    std::cout << result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return;
  }
  std::cout << path_label(options.image) << ": " << file.description << "\n";
  print_origin(file.provenance);
}

void run(const Options& options) {
  const ImageBytes file(options.image);
  if (file.kind() != FileKind::kPng) return show_other(options, file);
  const PngInfo info = read_png_info(file.bytes(), file.label());
  for (const std::string& warning : info.warnings) {
    std::cerr << "warning: " << file.label() << ": ignored: " << terminal_safe(warning) << ".\n";
  }
  const std::optional<Provenance> provenance = parse_provenance(info.text, file.label());
  if (options.json) {
    print_json(options.image, info, provenance.has_value());
  } else {
    print_human(options.image, info, provenance);
  }
}

}  // namespace

void add_info_command(Command program) {
  auto options = std::make_shared<Options>();
  Command command = program.add_subcommand("info", "Show how an image was made");
  command.add_option("picture", options->image, "Image file, or - for standard input").required();
  command.add_flag("--json", options->json, "Print one JSON object");
  command.callback([options] { run(*options); });
}

}  // namespace ebb
