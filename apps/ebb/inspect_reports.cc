#include "apps/ebb/inspect_reports.h"

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <vector>

#include "apps/cli/image_bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "weights/digest.h"
#include "weights/file_kind.h"
#include "weights/idx.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShortDigest = 16;
constexpr size_t kDigits = 10;

InspectReport start_report(const FileReader& file, const char* kind) {
  return {
      {"file", file.path()}, {"kind", kind}, {"bytes", file.size()}, {"sha256", sha256_hex(file)}};
}

// Reads the tensor in pieces of whole elements, so that its size does not matter.
InspectReport inspect_tensor(const SafetensorsFile& file, const TensorEntry& entry) {
  constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
  std::vector<std::byte> chunk(std::min(kChunkBytes, entry.bytes()));
  Sha256 sha;
  NonFinite found;
  for (uint64_t done = 0; done < entry.bytes();) {
    const uint64_t bytes = std::min(kChunkBytes, entry.bytes() - done);
    file.file().read_at(file.data_start() + entry.begin + done, chunk.data(), bytes);
    sha.update(chunk.data(), bytes);
    const NonFinite part = count_non_finite(entry.dtype, chunk.data(), bytes);
    found.nan += part.nan;
    found.infinite += part.infinite;
    done += bytes;
  }
  return {{"name", entry.name},        {"dtype", to_string(entry.dtype)}, {"shape", entry.shape},
          {"bytes", entry.bytes()},    {"sha256", sha.finish()},          {"nan", found.nan},
          {"infinite", found.infinite}};
}

bool is_gzip(const FileReader& file) { return file_kind(file) == FileKind::kGzip; }

void replace_first(std::string& text, std::string_view from, std::string_view to) {
  const size_t place = text.find(from);
  if (place != std::string::npos) text.replace(place, from.size(), to);
}

void print_safetensors(std::ostream& out, const InspectReport& report) {
  const auto& tensors = report["tensors"];
  print_heading(out, report, cat("safetensors, ", tensors.size(), " tensors"));
  out << "  its own digest: " << report["digest"].get<std::string>() << '\n';
  if (!report["metadata"].empty()) out << "  metadata\n";
  for (const auto& [key, value] : report["metadata"].items()) {
    out << "    " << terminal_safe(key) << ": " << terminal_safe(value.get<std::string>()) << '\n';
  }
  if (!tensors.empty()) print_tensors(out, tensors);
}

void print_idx(std::ostream& out, const InspectReport& report) {
  const bool images = report["kind"] == "idx_images";
  std::string what = cat(report["count"], images ? " IDX images" : " IDX labels");
  if (images) what += cat(" of ", report["rows"], " x ", report["cols"], " pixels");
  if (report["gzip"].get<bool>()) what += ", gzip";
  print_heading(out, report, what);
  out << "  sha256 of the uncompressed data " << report["idx_sha256"].get<std::string>() << '\n';
  if (images && !report["labels"].is_null()) {
    out << "  as many labels in " << path_label(report["labels"].get<std::string>()) << '\n';
  }
  if (images) return;
  for (size_t digit = 0; digit < report["histogram"].size(); ++digit) {
    out << "  label " << digit << ": " << report["histogram"][digit] << '\n';
  }
}

}  // namespace

void print_heading(std::ostream& out, const InspectReport& report, const std::string& what) {
  out << path_label(report["file"].get<std::string>()) << ": " << what << ", file of "
      << format_bytes(report["bytes"].get<uint64_t>()) << '\n'
      << "  sha256 " << report["sha256"].get<std::string>() << '\n';
}

void print_tensors(std::ostream& out, const InspectReport& tensors) {
  constexpr size_t kMaxNameWidth = 60;
  size_t width = 0;
  for (const auto& tensor : tensors) {
    const size_t length = terminal_safe(tensor["name"].get<std::string>()).size();
    width = std::max(width, std::min(length, kMaxNameWidth));
  }
  out << "  tensors\n";
  for (const auto& tensor : tensors) {
    out << "    " << std::left << std::setw(static_cast<int>(width))
        << terminal_safe(tensor["name"].get<std::string>()) << "  " << std::setw(8)
        << tensor["dtype"].get<std::string>() << "  " << tensor["shape"].dump() << "  "
        << format_bytes(tensor["bytes"].get<uint64_t>()) << "  sha256 "
        << tensor["sha256"].get<std::string>().substr(0, kShortDigest);
    if (tensor["nan"] != 0) out << "  " << tensor["nan"] << " NaN";
    if (tensor["infinite"] != 0) out << "  " << tensor["infinite"] << " infinite";
    out << '\n';
  }
}

InspectReport inspect_safetensors(const std::string& path, const LoadLimits& limits) {
  const SafetensorsFile file = SafetensorsFile::open(path, limits);
  const bool verified = file.verify_digest();
  InspectReport report = start_report(file.file(), "safetensors");
  report["digest"] = verified ? "verified" : "none";
  report["metadata"] = file.metadata();
  report["tensors"] = InspectReport::array();
  for (const TensorEntry& entry : file.entries()) {
    report["tensors"].push_back(inspect_tensor(file, entry));
  }
  return report;
}

InspectReport inspect_idx_images(const std::string& path, const std::string& labels_path) {
  const IdxImages images = read_idx_images(path);
  const FileReader file(path);
  InspectReport report = start_report(file, "idx_images");
  report["gzip"] = is_gzip(file);
  report["idx_sha256"] = images.sha256;
  report["count"] = images.count;
  report["rows"] = images.rows;
  report["cols"] = images.cols;
  report["labels"] = nullptr;
  if (labels_path.empty()) return report;
  try {
    check_idx_pair(path, images, labels_path, read_idx_labels(labels_path));
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.starts_with(file.label())) throw;
    throw FormatError(cat(file.label(), ": its labels cannot be used: ", message));
  }
  report["labels"] = labels_path;
  return report;
}

InspectReport inspect_idx_labels(const std::string& path) {
  const IdxLabels labels = read_idx_labels(path);
  const FileReader file(path);
  InspectReport report = start_report(file, "idx_labels");
  report["gzip"] = is_gzip(file);
  report["idx_sha256"] = labels.sha256;
  report["count"] = labels.values.size();
  const uint8_t largest = *std::max_element(labels.values.begin(), labels.values.end());
  std::vector<uint64_t> histogram(std::max<size_t>(kDigits, largest + size_t{1}));
  for (const uint8_t label : labels.values) ++histogram[label];
  report["histogram"] = histogram;
  return report;
}

InspectReport inspect_image(const std::string& path, FileKind promised) {
  ImageBytes file(path);
  file.assume(promised);
  const std::string text = describe_image(file);
  return {{"file", path},
          {"kind", image_kind_key(file.kind())},
          {"bytes", file.bytes().size()},
          {"sha256", file.sha256()},
          {"text", text}};
}

std::string find_labels_beside(const std::string& images_path) {
  std::string name = fs::path(images_path).filename().string();
  if (name.find("images") == std::string::npos) return "";
  replace_first(name, "images", "labels");
  replace_first(name, "idx3", "idx1");
  const std::string other = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name + ".gz";
  for (const std::string& candidate : {name, other}) {
    const fs::path path = fs::path(images_path).parent_path() / candidate;
    std::error_code error;
    if (fs::is_regular_file(path, error)) return path.string();
  }
  return "";
}

void print_report(std::ostream& out, const InspectReport& report) {
  if (report["kind"] == "safetensors") {
    print_safetensors(out, report);
  } else if (report.contains("text")) {
    const auto text = report["text"].get<std::string>();
    print_heading(out, report, text.substr(0, text.find(' ')));
    out << text;
  } else {
    print_idx(out, report);
  }
}

}  // namespace ebb
