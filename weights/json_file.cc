#include "weights/json_file.h"

#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "weights/file_kind.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{4} << 20;
constexpr const char* kWanted = "a JSON config";

}  // namespace

Json read_json_file(const std::string& path) {
  const FileReader file(path);
  refuse_other_kinds(file, kWanted, {FileKind::kJson});
  EBB_CHECK(file.size() <= kMaxBytes, FormatError, file.label(), ": holds ",
            format_bytes(file.size()), ", expected ", kWanted, " of at most ",
            format_bytes(kMaxBytes), ". Name another file.");
  std::string text(file.size(), '\0');
  file.read_at(0, text.data(), text.size());
  EBB_CHECK(text.find('\0') == std::string::npos, FormatError, file.label(),
            ": holds a NUL, expected ", kWanted, ". The file is damaged; fetch it again.");
  try {
    Json json = Json::parse(text);
    EBB_CHECK(json.is_object(), FormatError, file.label(), ": holds ", json.type_name(),
              ", expected a JSON object. Fetch it again.");
    return json;
  } catch (const JsonError& error) {
    const std::string_view what = error.what();
    throw FormatError(cat(file.label(), ": is not valid JSON (",
                          terminal_safe(what.substr(what.find("] ") + 2)),
                          "). The file is damaged; fetch it again."));
  }
}

}  // namespace ebb
