#include "base/output_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/stream.h"
#include "base/text.h"

namespace ebb {

namespace {

namespace fs = std::filesystem;

void check_directory(const std::string& label, const fs::path& directory) {
  const std::string directory_label = path_label(directory.string());
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    const int error = errno;
    EBB_CHECK(error != ENOENT, IoError, label, ": the directory ", directory_label,
              " does not exist. Create it (mkdir -p) or choose another output.");
    throw IoError(cat(label, ": the directory ", directory_label,
                      " cannot be reached: ", describe_errno(error)));
  }
  EBB_CHECK(S_ISDIR(status.st_mode), IoError, label, ": ", directory_label,
            " is not a directory. Choose another output.");
  if (::access(directory.c_str(), W_OK | X_OK) == 0) return;
  const int error = errno;
  EBB_CHECK(error != EACCES, IoError, label, ": the directory ", directory_label,
            " cannot be written. Change its permissions or choose another output.");
  throw IoError(cat(label, ": the directory ", directory_label,
                    " cannot be written: ", describe_errno(error)));
}

fs::path directory_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

}  // namespace

void check_output_file(const std::string& path, Overwrite overwrite) {
  if (is_output_stream(path)) return check_output_stream(path);
  const std::string label = path_label(path);
  EBB_CHECK(fs::path(path).has_filename(), UsageError, label,
            ": names a directory, expected a file. Add a file name, for example ",
            path_label(path + "out.png"), ".");
  const fs::path file(follow_links(path));
  check_directory(label, directory_of(file));
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) {
    EBB_CHECK(errno == ENOENT, IoError, label, ": ", describe_errno(errno));
  } else {
    EBB_CHECK(!S_ISDIR(status.st_mode), IoError, label,
              ": is a directory, expected a file name. Choose another output.");
    EBB_CHECK(S_ISREG(status.st_mode), IoError, label,
              ": is a device or socket, cannot be replaced by a file. Choose another output.");
  }
  EBB_CHECK(overwrite == Overwrite::kReplace || ::lstat(path.c_str(), &status) != 0, IoError, label,
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
  EBB_CHECK(!found.empty() || is_output_stream(path) || !std::filesystem::path(path).has_filename(),
            UsageError, flag, " ", path_label(path), ": has no ending that says what it is. Use ",
            path_label(path + ending), ".");
  EBB_CHECK(!is_other, UsageError, flag, " ", path_label(path), ": would hold a ",
            ending == ".gif" ? "GIF" : "PNG", " file. Use a name that ends in ", ending, ".");
}

void write_output_file(const std::string& path, std::span<const uint8_t> bytes,
                       Overwrite overwrite) {
  check_output_file(path, overwrite);
  if (is_output_stream(path)) return write_output_stream(path, bytes);
  AtomicFile file(path, bytes.size(), overwrite);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace ebb
