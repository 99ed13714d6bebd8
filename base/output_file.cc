#include "base/output_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <system_error>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/stream.h"
#include "base/text.h"

namespace ebb {

void check_output_file(const std::string& path, Overwrite overwrite) {
  namespace fs = std::filesystem;
  if (is_output_stream(path)) return check_output_stream(path);
  const std::string label = path_label(path);
  const fs::path file(path);
  EBB_CHECK(file.has_filename(), UsageError, label,
            ": names a directory, expected a file. Add a file name, for example ",
            path_label(path + "out.png"), ".");
  const fs::path directory = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const std::string directory_label = path_label(directory.string());
  std::error_code error;
  const fs::file_status directory_status = fs::status(directory, error);
  EBB_CHECK(fs::exists(directory_status), IoError, label, ": the directory ", directory_label,
            " does not exist. Create it (mkdir -p) or choose another output.");
  EBB_CHECK(fs::is_directory(directory_status), IoError, label, ": ", directory_label,
            " is not a directory. Choose another output.");
  EBB_CHECK(::access(directory.c_str(), W_OK | X_OK) == 0, IoError, label, ": the directory ",
            directory_label,
            " cannot be written. Change its permissions or choose another output.");
  EBB_CHECK(!fs::is_directory(file, error), IoError, label,
            ": is a directory, expected a file name. Choose another output.");
  EBB_CHECK(overwrite == Overwrite::kReplace || !fs::exists(fs::symlink_status(file, error)),
            IoError, label,
            ": the file exists and is kept. Use --force to replace it or choose another output.");
}

void check_image_name(const std::string& flag, const std::string& path, const std::string& ending) {
  std::string found = std::filesystem::path(path).extension().string();
  std::transform(found.begin(), found.end(), found.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array kImages = {".png",  ".gif", ".jpg", ".jpeg",
                                  ".webp", ".bmp", ".tif", ".tiff"};
  const bool is_other =
      found != ending && std::find(kImages.begin(), kImages.end(), found) != kImages.end();
  EBB_CHECK(!is_other, UsageError, flag, " ", path_label(path), ": would hold a ",
            ending == ".gif" ? "GIF" : "PNG", " file. Use a name that ends in ", ending, ".");
}

void write_output_file(const std::string& path, std::span<const uint8_t> bytes,
                       Overwrite overwrite) {
  check_output_file(path, overwrite);
  if (is_output_stream(path)) return write_output_stream(path, bytes);
  AtomicFile file(path, bytes.size());
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace ebb
