#include "apps/cli/results.h"

#include <cmath>
#include <filesystem>
#include <ostream>

#include "base/error.h"
#include "base/stream.h"
#include "base/text.h"

namespace ebb {
namespace {

double rounded(double seconds) { return std::round(1000 * seconds) / 1000; }

}  // namespace

Results::Results(std::ostream& out, bool as_json)
    : out_(out), as_json_(as_json), start_(std::chrono::steady_clock::now()) {}

std::ostream& Results::nowhere() {
  static std::ostream stream(nullptr);
  return stream;
}

void Results::check_output(const std::string& flag, const std::string& path) const {
  EBB_CHECK(!as_json_ || !is_standard_output(path), UsageError, flag, " ", path_label(path),
            ": standard output is taken by --json. Name a file.");
}

void Results::add_file(const std::string& path, const std::string& kind, const Json& facts) {
  if (!as_json_) return;
  Json file{{"path", path}, {"kind", kind}};
  for (const auto& [key, value] : facts.items()) file[key] = value;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);  // none for a pipe
  if (!error) file["bytes"] = uint64_t{bytes};
  files_.push_back(std::move(file));
}

void Results::add_image(const std::string& path, const std::string& kind, int width, int height,
                        const Provenance& made) {
  Json facts{{"width", width}, {"height", height}, {"seeds", made.seeds}};
  if (!made.prompt.empty()) facts["prompt"] = made.prompt;
  if (made.scale > 0) facts["scale"] = made.scale;
  add_file(path, kind, facts);
}

void Results::set(const std::string& key, Json value) { facts_[key] = std::move(value); }

void Results::append(const std::string& key, Json value) {
  if (!facts_.contains(key)) facts_[key] = Json::array();
  facts_[key].push_back(std::move(value));
}

void Results::set_command(const Provenance& made) {
  set("command", shell_command(made.argv));
  set("argv", made.argv);
  set("version", made.version);
  set("build", made.build);
  if (!made.model.empty()) {
    set("model", made.model);
    set("model_sha256", made.model_sha256);
  }
  if (made.steps > 0) {
    set("sampler", made.sampler);
    set("steps", made.steps);
    set("cfg_scale", made.cfg_scale);
  }
  if (!made.device.empty()) {
    set("device", made.device);
    set("dtype", made.dtype);
  }
}

void Results::set_seconds(const std::string& part, double seconds) {
  seconds_[part] = rounded(seconds);
}

double Results::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Results::print() {
  if (!as_json_) return;
  set_seconds("total", seconds());
  set("seconds", seconds_);
  set("files", files_);
  out_ << facts_.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) << '\n';
}

}  // namespace ebb
