#pragma once

#include <chrono>
#include <iosfwd>
#include <string>

#include "apps/cli/provenance.h"
#include "base/json.h"

namespace ebb {

// The results of a command in one of two forms: lines for people as it runs, or with --json one
// object at the end (docs/terminal.md). The reported time starts at construction.
class Results {
 public:
  Results(std::ostream& out, bool as_json);

  bool as_json() const { return as_json_; }
  // For people; with --json nothing written here is seen.
  std::ostream& text() const { return as_json_ ? nowhere() : out_; }

  // UsageError when the file named by `flag` would go to standard output, where the object goes.
  void check_output(const std::string& flag, const std::string& path) const;

  // A file that is written. kind: "image", "grid", "animation", "plot".
  void add_file(const std::string& path, const std::string& kind,
                const Json& facts = Json::object());
  // The same with the size, seeds, prompt and scale of an image.
  void add_image(const std::string& path, const std::string& kind, int width, int height,
                 const Provenance& made);

  void set(const std::string& key, Json value);
  // One more element of the array `key`.
  void append(const std::string& key, Json value);
  // Shared by all files.
  void set_command(const Provenance& made);
  void set_seconds(const std::string& part, double seconds);

  double seconds() const;  // since the start

  // Prints the object, after the last file.
  void print();

 private:
  static std::ostream& nowhere();

  std::ostream& out_;
  bool as_json_;
  std::chrono::steady_clock::time_point start_;
  Json facts_ = Json::object();
  Json files_ = Json::array();
  Json seconds_ = Json::object();
};

}  // namespace ebb
