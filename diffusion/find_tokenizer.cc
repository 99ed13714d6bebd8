#include "diffusion/find_tokenizer.h"

#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "weights/diffusers_directory.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "spiece.model";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

}  // namespace

std::string find_tokenizer(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return path;
  if (const fs::path file = fs::path(path) / kFile; is_there(file)) return file.string();
  EBB_CHECK(!fs::is_directory(path, error) || is_diffusers_directory(path), FormatError,
            path_label(path), ": has no ", kFile,
            " and is no model that diffusers saved. Give the directory of a model or a tokenizer");
  const std::string model = find_model(path);
  EBB_CHECK(fs::is_directory(model, error), FormatError, path_label(model),
            ": is no model with a tokenizer. Give a directory with tokenizer/", kFile,
            ", or the file itself");
  const DiffusersDirectory directory = read_diffusers_directory(model);
  const DiffusersComponent* tokenizer = directory.find("tokenizer");
  const fs::path file = fs::path(tokenizer == nullptr ? model : tokenizer->directory) / kFile;
  EBB_CHECK(tokenizer != nullptr && tokenizer->is_present() && is_there(file), FormatError,
            path_label(model), ": has no tokenizer/", kFile,
            ". Download it, too, or give the file itself");
  return file.string();
}

}  // namespace ebb
