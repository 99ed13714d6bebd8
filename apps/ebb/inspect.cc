#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/ebb/commands.h"
#include "apps/ebb/inspect_reports.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/file_kind.h"
#include "weights/gzip_stream.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct Options {
  std::vector<std::string> files;
  bool json = false;
  LoadLimits limits;
};

// The kind a well-known name promises, so that a file that breaks the promise gets the error of the
// right reader.
FileKind kind_by_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  if (name.ends_with(".safetensors")) return FileKind::kSafetensors;
  if (name.ends_with(".png")) return FileKind::kPng;
  if (name.ends_with(".jpg") || name.ends_with(".jpeg")) return FileKind::kJpeg;
  if (name.find("idx3") != std::string::npos) return FileKind::kIdxImages;
  if (name.find("idx1") != std::string::npos) return FileKind::kIdxLabels;
  return FileKind::kUnknown;
}

FileKind kind_inside_gzip(const std::string& path) {
  GzipStream stream(path);
  std::string head(4, '\0');
  head.resize(stream.read(head.data(), head.size()));
  return file_kind(head, head.size());
}

FileKind kind_of(const std::string& path) {
  const FileKind promised = kind_by_name(path);
  if (promised != FileKind::kUnknown) return promised;
  const FileKind found = file_kind(FileReader(path));
  return found == FileKind::kGzip ? kind_inside_gzip(path) : found;
}

// The labels to check `images` against: the only label file of the command line if it names one of
// each, else the one that lies beside the images.
std::string labels_for(const std::string& images, const Options& options) {
  std::vector<std::string> labels;
  std::vector<std::string> others;
  for (const std::string& path : options.files) {
    (kind_of(path) == FileKind::kIdxLabels ? labels : others).push_back(path);
  }
  if (labels.size() == 1 && others.size() == 1) return labels.front();
  return find_labels_beside(images);
}

InspectReport inspect_file(const std::string& path, const Options& options) {
  const FileKind kind = kind_of(path);
  switch (kind) {
    case FileKind::kSafetensors:
      return inspect_safetensors(path, options.limits);
    case FileKind::kIdxImages:
      return inspect_idx_images(path, labels_for(path, options));
    case FileKind::kIdxLabels:
      return inspect_idx_labels(path);
    case FileKind::kPng:
      return inspect_png(path);
    case FileKind::kJpeg:
      return inspect_jpeg(path);
    default:
      refuse_other_kinds(FileReader(path), "a safetensors, IDX, PNG or JPEG file", {});
      throw FormatError(cat(path_label(path),
                            ": unknown kind of file, expected a safetensors, IDX, PNG or JPEG "
                            "file. Name another file."));
  }
}

void warn_of_non_finite(std::ostream& err, const InspectReport& report) {
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

void run(const Options& options, const Invocation& invocation) {
  InspectReport files = InspectReport::array();
  for (const std::string& path : options.files) {
    files.push_back(inspect_file(path, options));
    warn_of_non_finite(invocation.err, files.back());
    if (!options.json) print_report(invocation.out, files.back());
    invocation.out.flush();
  }
  if (!options.json) return;
  // A path may hold any bytes; JSON holds UTF-8.
  const auto replace = InspectReport::error_handler_t::replace;
  invocation.out << InspectReport{{"files", files}}.dump(2, ' ', true, replace) << '\n';
}

}  // namespace

// `ebb inspect FILE... [--json]`: what a file holds, for safetensors, IDX(.gz) and PNG files. Reads
// every byte and applies every rule of the loaders, so a file that passes here loads.
void add_inspect(Command command, const Invocation& invocation) {
  auto options = std::make_shared<Options>();
  command.add_option("files", options->files, "safetensors, IDX(.gz), PNG or JPEG files")
      .required()
      .type_name("FILE");
  command.add_flag("--json", options->json, "Print one JSON object instead of text");
  add_bytes(command, "--max-model-bytes", options->limits.max_model_bytes,
            "Reject files with more tensor data, e.g. 32GiB")
      .default_text("24GiB");
  command.callback([options, &invocation] { run(*options, invocation); });
}

}  // namespace ebb
