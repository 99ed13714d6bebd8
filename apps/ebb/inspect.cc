#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/error_json.h"
#include "apps/cli/image_bytes.h"
#include "apps/cli/progress.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/inspect_models.h"
#include "apps/ebb/inspect_reports.h"
#include "base/error.h"
#include "base/json.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "weights/file_kind.h"
#include "weights/gzip_stream.h"
#include "weights/hub_cache.h"
#include "weights/open_weights.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct Options {
  std::vector<std::string> files;
  bool json = false;
  std::string variant;
  ProgressFlag progress;
  LoadLimits limits;
};

constexpr const char* kWanted =
    "weights (safetensors or PyTorch's), the index or config of a model, an IDX file, or a PNG, "
    "JPEG, WebP, GIF, BMP, PNM or TGA image";

// The kind a well-known name promises, so that a file whose contents say nothing gets the error of
// the right reader.
FileKind kind_by_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  if (name.find("idx3") != std::string::npos) return FileKind::kIdxImages;
  if (name.find("idx1") != std::string::npos) return FileKind::kIdxLabels;
  constexpr std::array<std::pair<std::string_view, FileKind>, 17> kEndings = {
      {{".safetensors", FileKind::kSafetensors},
       {".pt", FileKind::kZip},
       {".pth", FileKind::kZip},
       {".bin", FileKind::kZip},
       {".ckpt", FileKind::kZip},
       {".json", FileKind::kJson},
       {".png", FileKind::kPng},
       {".jpg", FileKind::kJpeg},
       {".jpeg", FileKind::kJpeg},
       {".webp", FileKind::kWebp},
       {".gif", FileKind::kGif},
       {".bmp", FileKind::kBmp},
       {".ppm", FileKind::kPnm},
       {".pgm", FileKind::kPnm},
       {".pbm", FileKind::kPnm},
       {".pnm", FileKind::kPnm},
       {".tga", FileKind::kTga}}};
  for (const auto& [ending, kind] : kEndings) {
    if (name.ends_with(ending)) return kind;
  }
  return FileKind::kUnknown;
}

FileKind kind_inside_gzip(const std::string& path) {
  GzipStream stream(path);
  std::string head(4, '\0');
  head.resize(stream.read(head.data(), head.size()));
  return file_kind(head, head.size());
}

bool is_torch(FileKind kind) { return kind == FileKind::kZip || kind == FileKind::kPickle; }

bool is_listed(FileKind kind) {
  return kind == FileKind::kSafetensors || is_torch(kind) || kind == FileKind::kJson ||
         kind == FileKind::kIdxImages || kind == FileKind::kIdxLabels || is_image(kind);
}

// By content; by name only if the content is not a kind that can be listed, or looks like TGA,
// which has no magic number.
FileKind kind_of(const std::string& path) {
  const FileKind promised = kind_by_name(path);
  FileKind found = file_kind(FileReader(path));
  if (found == FileKind::kGzip) found = kind_inside_gzip(path);
  if (!is_listed(found) || (found == FileKind::kTga && promised != FileKind::kUnknown)) {
    return promised != FileKind::kUnknown ? promised : found;
  }
  return found;
}

void warn_of_name(std::ostream& err, const std::string& path, FileKind kind) {
  const FileKind promised = kind_by_name(path);
  if (promised == FileKind::kUnknown || promised == kind) return;
  if (is_torch(promised) && is_torch(kind)) return;  // PyTorch has written both
  err << "warning: " << path_label(path) << ": this is " << describe(kind)
      << ", its name is that of " << describe(promised) << ".\n";
}

// The labels to check `images` against: the only label file of the command line if it names one of
// each, else the one that lies beside the images.
std::string labels_for(const std::string& images, const Options& options) {
  if (options.files.size() == 2) {
    const std::string& other = options.files[options.files[0] == images ? 1 : 0];
    try {
      if (!is_input_stream(other) && kind_of(other) == FileKind::kIdxLabels) return other;
    } catch (const Error&) {
      // It is reported in its turn.
    }
  }
  return find_labels_beside(images);
}

// The path itself where there is one, else the pretrained model of this name, else the snapshot of
// a name in the Hugging Face cache.
std::string resolve(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error) || kind_by_name(path) != FileKind::kUnknown) return path;
  for (const NamedModel& model : named_models()) {
    if (model.name == path) return model.path;
  }
  const std::optional<HubName> name = parse_hub_name(path);
  return name ? find_in_hub_cache(*name) : path;
}

InspectReport inspect_file(const std::string& given, const Options& options, std::ostream& err) {
  if (is_input_stream(given)) return inspect_image(given, FileKind::kUnknown);
  const std::string path = resolve(given);
  std::error_code error;
  if (std::filesystem::is_directory(path, error) && is_run_directory(path)) {
    return inspect_safetensors(find_model(path + "/"), options.limits);
  }
  if (std::filesystem::is_directory(path, error)) {
    return inspect_directory(path, options.variant, options.limits);
  }
  const FileKind kind = kind_of(path);
  warn_of_name(err, path, kind);
  switch (kind) {
    case FileKind::kSafetensors:
      return inspect_safetensors(path, options.limits);
    case FileKind::kIdxImages:
      return inspect_idx_images(path, labels_for(path, options));
    case FileKind::kIdxLabels:
      return inspect_idx_labels(path);
    case FileKind::kZip:
    case FileKind::kPickle:
      return inspect_weights(path, options.limits);
    case FileKind::kJson:
      return is_shard_index(path) ? inspect_weights(path, options.limits) : inspect_config(path);
    default:
      break;
  }
  if (is_image(kind)) return inspect_image(path, kind);
  refuse_other_kinds(FileReader(path), kWanted, {});
  throw FormatError(
      cat(path_label(path), ": unknown kind of file, expected ", kWanted, ". Name another file."));
}

void warn_of_content(std::ostream& err, const InspectReport& report) {
  if (report.contains("warnings")) {
    for (const auto& warning : report["warnings"]) {
      err << "warning: " << warning.get<std::string>() << '\n';
    }
  }
  if (!report.contains("tensors")) return;
  for (const auto& tensor : report["tensors"]) {
    const NonFinite found{tensor["nan"].get<uint64_t>(), tensor["infinite"].get<uint64_t>()};
    if (!found.any()) continue;
    err << "warning: "
        << non_finite_warning(path_label(report["file"].get<std::string>()),
                              tensor["name"].get<std::string>(), found)
        << '\n';
  }
}

// Every file is reported, bad ones with their error; the first of them decides the exit code.
void run(const Options& options, const Invocation& invocation) {
  const ProgressMode mode = invocation.progress.value_or(options.progress.mode());
  // Without --json the report of each file says how far it is.
  const bool shows = options.json || mode != ProgressMode::kAuto;
  Progress progress(shows ? mode : ProgressMode::kNone);
  progress.begin(static_cast<int64_t>(options.files.size()), {.name = "file"});
  InspectReport files = InspectReport::array();
  std::optional<InspectReport> first_error;
  for (const std::string& path : options.files) {
    try {
      files.push_back(inspect_file(path, options, invocation.err));
      warn_of_content(invocation.err, files.back());
      if (!options.json && is_model_report(files.back())) {
        print_model_report(invocation.out, files.back());
      } else if (!options.json) {
        print_report(invocation.out, files.back());
      }
      invocation.out.flush();
    } catch (const Error& error) {
      const InspectReport found = error_json(error);
      progress.pause();
      invocation.err << "error: " << found.at("message").get<std::string>() << std::endl;
      files.push_back({{"file", path}, {"error", found}});
      if (!first_error) first_error = found;
    }
    progress.update(static_cast<int64_t>(files.size()));
    if (!options.json) progress.pause();
  }
  progress.finish();
  if (options.json) {
    InspectReport result = {{"files", files}};
    if (first_error) result["error"] = *first_error;
    // A path may hold any bytes; JSON holds UTF-8.
    const auto replace = InspectReport::error_handler_t::replace;
    invocation.out << result.dump(2, ' ', true, replace) << '\n';
  }
  if (first_error) throw ExitWith{first_error->at("code").get<int>()};
}

}  // namespace

// `ebb inspect FILE... [--json]`: what a file holds, for weights, configs, IDX(.gz) and images, and
// what would be loaded from a directory. Reads every byte of a file and applies every rule of the
// loaders, so a file that passes here loads.
void add_inspect(Command command, const Invocation& invocation) {
  auto options = std::make_shared<Options>();
  command
      .add_option(
          "files", options->files,
          "Weights (.safetensors, .pth, .bin, .index.json), config.json, a model's directory, "
          "owner/name in the Hugging Face cache or a pretrained model's name, IDX(.gz) and image "
          "files, or - for an image from a pipe")
      .required()
      .takes(FlagValue::kFile);
  command.add_flag("--json", options->json, "Print one JSON object instead of text")
      .group(kOutputGroup);
  command
      .add_option("--variant", options->variant,
                  "Of a directory's weights, e.g. fp16 (default: the plain files, else the only "
                  "variant)")
      .type_name("NAME");
  add_progress_flag(command, options->progress);
  add_bytes(command, "--max-model-bytes", options->limits.max_model_bytes,
            "Reject files with more tensor data, e.g. 32GiB")
      .default_text("24GiB");
  command.callback([options, &invocation] { run(*options, invocation); });
}

}  // namespace ebb
