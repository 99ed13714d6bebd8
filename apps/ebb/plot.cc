#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <memory>
#include <ostream>
#include <thread>
#include <utility>

#include "apps/cli/build_id.h"
#include "apps/cli/canonical_command.h"
#include "apps/cli/cli.h"
#include "apps/cli/distinct_names.h"
#include "apps/cli/loss_series.h"
#include "apps/cli/provenance.h"
#include "apps/cli/results.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "diffusion/model_history.h"
#include "diffusion/train_log.h"
#include "image/plot_image.h"
#include "image/png.h"
#include "weights/digest.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::vector<std::string> models;
  std::string output = "loss.png";
  int64_t width = 1200, height = 750;
  bool force = false;
  bool no_metadata = false;
  bool json = false;
  bool follow = false;
};

// A run or model to plot: the file that its losses are read from, and what names it.
struct Source {
  std::string given;
  std::string path;
  bool is_log = false;
  int64_t last_step = std::numeric_limits<int64_t>::max();  // of a log: the later ones are left out
  std::string name;                                         // path that names the curve
};

std::string log_in(const fs::path& directory) { return (directory / kTrainLogName).string(); }

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string directory_of(const std::string& path) {
  std::error_code error;
  const fs::path directory = fs::absolute(path, error).parent_path();
  return directory.string();
}

// A checkpoint has no losses; the log beside it has them.
Source source_of_model(const std::string& given) {
  Source source{.given = given, .path = find_model(given), .name = ""};
  source.name = source.path;
  const std::string log = log_in(fs::path(source.path).parent_path());
  const ModelHistory history = read_model_history(source.path);
  if (history.losses.empty() && history.steps > 0 && exists(log)) {
    source.path = log;
    source.is_log = true;
    source.last_step = history.steps;
  }
  return source;
}

// A directory with a log is a run, whatever else it holds; `waits`: one where the log is to come,
// too.
Source source_of(const std::string& given, bool waits) {
  std::error_code error;
  const bool is_directory = fs::is_directory(given, error);
  if (is_directory && (waits || exists(log_in(given)))) {
    return {.given = given, .path = log_in(given), .is_log = true, .name = given};
  }
  if (!is_directory && given.ends_with(".jsonl")) {
    return {.given = given, .path = given, .is_log = true, .name = directory_of(given)};
  }
  return source_of_model(given);
}

std::vector<LogEntry> read_log(const Source& source, bool waits) {
  if (waits && !exists(source.path)) return {};
  { const FileReader file(source.path); }  // says why it cannot be read
  EBB_CHECK(
      is_train_log(source.path), FormatError, path_label(source.path),
      ": is no log of train_mnist, which has an object with a \"step\" on each line. Name the "
      "log.jsonl of a run.");
  std::vector<LogEntry> log = read_train_log(source.path);
  while (!log.empty() && log.back().step > source.last_step) log.pop_back();
  EBB_CHECK(waits || !log.empty(), FormatError, path_label(source.path),
            ": holds no step yet. Add --follow to wait for them.");
  return log;
}

std::vector<PlotSeries> series_of(const Source& source, const std::string& name, bool waits) {
  if (source.is_log) return loss_series(read_log(source, waits), name);
  const ModelHistory history = read_model_history(source.path);
  EBB_CHECK(!history.losses.empty(), FormatError, path_label(history.path),
            ": contains no loss curve. Use a model or a run of train_mnist.");
  return loss_series(history, name);
}

LossPlot plot_of(const std::vector<Source>& sources, bool waits) {
  LossPlot plot;
  plot.title = "training loss";
  std::vector<std::string> paths;
  for (const Source& source : sources) paths.push_back(source.name);
  const std::vector<std::string> names = distinct_names(paths);
  for (size_t i = 0; i < sources.size(); ++i) {
    for (PlotSeries& series : series_of(sources[i], names[i], waits)) {
      plot.series.push_back(std::move(series));
    }
  }
  return plot;
}

// One model is the image's model; of several, and of logs, each is a file that was read.
void name_models(const std::vector<Source>& sources, Provenance& provenance) {
  for (const Source& source : sources) {
    if (!exists(source.path)) continue;  // a log to come
    const std::string digest = sha256_hex(FileReader(source.path));
    if (sources.size() > 1 || source.is_log) {
      provenance.inputs.push_back({.path = source.path, .sha256 = digest});
    } else {
      provenance.model = source.given;
      provenance.model_sha256 = digest;
    }
  }
}

std::vector<Source> sources_of(const Flags& flags, bool waits) {
  std::vector<Source> sources;
  for (const std::string& given : flags.models) sources.push_back(source_of(given, waits));
  return sources;
}

Provenance draw(const Flags& flags, const Invocation& invocation, const std::string& path,
                Overwrite overwrite, bool waits) {
  const std::vector<Source> sources = sources_of(flags, waits);
  const Image image = draw_loss_plot(plot_of(sources, waits), static_cast<int>(flags.width),
                                     static_cast<int>(flags.height));
  Provenance provenance;
  provenance.version = program_version();
  provenance.build = build_commit();
  provenance.argv = canonical_command(invocation.arguments);
  provenance.legacy_key = invocation.rerun.legacy_key;
  provenance.width = image.width;
  provenance.height = image.height;
  name_models(sources, provenance);
  write_png(path, image, flags.no_metadata ? TextChunks{} : to_text_chunks(provenance), overwrite);
  return provenance;
}

// Size and time of a file that may not be there yet.
using FileState = std::pair<uintmax_t, fs::file_time_type>;
FileState state_of(const std::string& path) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error) return {0, fs::file_time_type::min()};
  return {size, fs::last_write_time(path, error)};
}

// A run writes its model last.
bool is_finished(const Source& source) {
  if (!source.is_log || !exists(source.path)) return !source.is_log;
  const std::string model = (fs::path(directory_of(source.path)) / "model.safetensors").string();
  return exists(model) && state_of(model).second >= state_of(source.path).second;
}

// Draws again whenever a log has grown, until all runs are finished. A signal ends it between two
// images or in the middle of one, which then never replaces the last.
void follow(const Flags& flags, const Invocation& invocation, const std::string& path,
            std::ostream& text) {
  constexpr std::chrono::milliseconds kInterval(500);
  for (std::vector<FileState> drawn;; std::this_thread::sleep_for(kInterval)) {
    const std::vector<Source> sources = sources_of(flags, true);
    std::vector<FileState> states;
    for (const Source& source : sources) states.push_back(state_of(source.path));
    const bool finished = std::all_of(sources.begin(), sources.end(), is_finished);
    if (states != drawn) {
      const bool is_first = drawn.empty();
      const Overwrite overwrite =
          is_first && !flags.force ? Overwrite::kRefuse : Overwrite::kReplace;
      draw(flags, invocation, path, overwrite, true);
      drawn = states;
      if (is_first) text << path_label(path) << std::endl;
    }
    if (finished) return;
  }
}

void run(const Flags& flags, const Invocation& invocation) {
  const RerunTarget& rerun = invocation.rerun;
  Results results(invocation.out, flags.json);
  const Overwrite overwrite =
      flags.force || rerun.active() ? Overwrite::kReplace : Overwrite::kRefuse;
  const std::string& path = rerun.active() ? rerun.output : flags.output;
  if (!rerun.active()) check_image_name("-o", path, ".png");
  results.check_output("-o", path);
  check_output_file(path, overwrite);
  if (flags.follow && !rerun.active()) {
    EBB_CHECK(!is_output_stream(path), UsageError, "-o ", path_label(path),
              ": --follow writes the file again and again, which this is none. Name a file.");
    return follow(flags, invocation, path, results.text());
  }
  const Provenance provenance = draw(flags, invocation, path, overwrite, false);
  results.text() << path_label(path) << '\n';
  results.set_command(provenance);
  results.add_image(path, "plot", provenance.width, provenance.height, provenance);
  results.print();
}

}  // namespace

// `ebb plot RUN... -o FILE`: the loss curves of runs, finished or not, of logs, and of model files.
void add_plot(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command
      .add_option("models", flags->models,
                  "Directories of runs, log.jsonl, model files, or names of pretrained models")
      .required()
      .takes(FlagValue::kModel);
  command.add_option("-o,--output", flags->output, "PNG file")
      .show_default()
      .takes(FlagValue::kFile)
      .group(kOutputGroup);
  add_integer(command, "--width", flags->width, 400, 8000, "Width in pixels (1200)");
  add_integer(command, "--height", flags->height, 300, 8000, "Height in pixels (750)");
  command.add_flag("--force", flags->force, "Overwrite an existing file").group(kOutputGroup);
  add_no_metadata_flag(command, flags->no_metadata);
  add_json_flag(command, flags->json);
  command
      .add_flag("--follow", flags->follow,
                "Draw again whenever a log has grown, until the runs are finished or Ctrl-C")
      .excludes(command.option("--json"));
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
