#include "apps/report/figure_maker.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "apps/cli/image_bytes.h"
#include "apps/cli/provenance.h"
#include "base/error.h"
#include "diffusion/find_model.h"
#include "diffusion/model_history.h"
#include "image/png.h"
#include "image/resize.h"
#include "weights/mnist_dataset.h"

namespace ebb {
namespace {

constexpr size_t kDigestDigits = 12;
constexpr const char* kClassifier = "mnist-classifier";

std::string output_path(const Figure& figure, const ReportSettings& settings) {
  return cat(settings.directory, "/figures/", figure.id, figure.images > 1 ? "-%d" : "", ".png");
}

std::vector<std::string> command_line(const Figure& figure, const ReportSettings& settings) {
  std::vector<std::string> line = {"ebb"};
  line.insert(line.end(), figure.command.begin(), figure.command.end());
  if (figure.samples) {
    line.insert(line.end(), {"--seed", std::to_string(settings.seed)});
    line.insert(line.end(), settings.run_flags.begin(), settings.run_flags.end());
  }
  if (figure.needs_data && !settings.data.empty()) {
    line.insert(line.end(), {"--data", settings.data});
  }
  if (figure.images > 0) line.insert(line.end(), {"-o", output_path(figure, settings)});
  return line;
}

std::string describe_seeds(const std::vector<uint64_t>& seeds) {
  if (seeds.empty()) return "";
  const auto [low, high] = std::minmax_element(seeds.begin(), seeds.end());
  return *low == *high ? std::to_string(*low) : cat(*low, " to ", *high);
}

bool prints_results(const Figure& figure) {
  return figure.shows_results || figure.show == Show::kPrinted;
}

bool has_data(const std::string& directory) {
  try {
    load_mnist(directory, MnistSplit::kTest);
    return true;
  } catch (const IoError&) {
    return false;
  }
}

// Fills problem and remedy when the figure cannot be made here.
void find_problem(const Figure& figure, const ReportSettings& settings, MadeFigure& made) {
  if (figure.model.empty()) return;
  made.remedy = training_commands(figure.model);
  if (!has_model(figure.model)) {
    made.problem = cat("The model ", figure.model, " is not here.");
  } else if (figure.needs_classes &&
             read_model_history(find_model(figure.model)).network != "class") {
    made.problem = cat("This needs a model that knows classes; ", figure.model, " knows none.");
    made.remedy = training_commands("mnist-class");
  } else if (figure.show == Show::kChart &&
             read_model_history(find_model(figure.model)).losses.empty()) {
    made.problem = cat("The file of ", figure.model, " carries no loss curve.");
  } else if (figure.needs_data && !has_model(kClassifier)) {
    made.problem = cat("The model ", kClassifier, " is not here.");
    made.remedy = training_commands(kClassifier);
  } else if (figure.needs_data && !has_data(settings.data)) {
    made.problem = "The digits of MNIST are not here.";
    made.remedy = "scripts/get_mnist && ebb report -o report --data data/mnist";
  }
}

// The user's image in a size for the page.
void copy_own_image(const Figure& figure, const ReportSettings& settings, MadeFigure& made) {
  constexpr int kSide = 512;
  const Image image = to_rgb(decode_image(ImageBytes(figure.own_image)));
  const double scale =
      std::min(1.0, static_cast<double>(kSide) / std::max(image.width, image.height));
  made.width = std::max(1, static_cast<int>(image.width * scale));
  made.height = std::max(1, static_cast<int>(image.height * scale));
  made.files = figure_files(figure, settings);
  write_png(made.files.front(), resize_bicubic(image, made.width, made.height), {},
            Overwrite::kReplace);
}

void describe(const std::string& file, MadeFigure& made, std::vector<uint64_t>& seeds) {
  const PngInfo info = read_png_info(file);
  const std::optional<Provenance> provenance = parse_provenance(info.text, file);
  EBB_CHECK(provenance.has_value(), Error, file, ": does not say how it was made.");
  seeds.insert(seeds.end(), provenance->seeds.begin(), provenance->seeds.end());
  if (!made.command.empty()) return;
  made.width = info.width;
  made.height = info.height;
  made.command = shell_command(provenance->argv);
  if (provenance->steps > 0) {
    made.schedule = cat(provenance->sampler, ", ", provenance->steps,
                        provenance->steps == 1 ? " step" : " steps");
    // Without a prompt nothing was guided.
    if (!provenance->prompt.empty()) made.schedule += cat(", guidance ", provenance->cfg_scale);
  }
  if (!provenance->model.empty()) {
    made.model = cat(std::filesystem::path(provenance->model).stem().string(), ", SHA-256 ",
                     provenance->model_sha256.substr(0, kDigestDigits));
  }
}

}  // namespace

std::vector<std::string> figure_files(const Figure& figure, const ReportSettings& settings) {
  std::vector<std::string> files;
  for (int i = 0; i < figure.images; ++i) {
    files.push_back(cat(settings.directory, "/figures/", figure.id,
                        figure.images > 1 ? cat("-", i) : "", ".png"));
  }
  return files;
}

std::string animation_file(const Figure& figure, const ReportSettings& settings) {
  if (figure.show != Show::kAnimation) return "";
  return cat(settings.directory, "/figures/", figure.id, ".webp");
}

MadeFigure make_figure(const Figure& figure, const ReportSettings& settings,
                       const RunFigureCommand& run) {
  MadeFigure made;
  find_problem(figure, settings, made);
  if (!made.problem.empty()) return made;
  if (!figure.own_image.empty()) {
    copy_own_image(figure, settings, made);
    return made;
  }
  const auto start = std::chrono::steady_clock::now();
  try {
    std::ostringstream out;
    std::vector<std::string> line = command_line(figure, settings);
    if (prints_results(figure)) line.emplace_back("--json");
    run(line, out);
    if (prints_results(figure)) made.tables = result_tables(out.str());
  } catch (const Error& error) {
    throw Error(cat("figure ", figure.id, ": ", error.what()), error.code());
  }
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  made.files = figure_files(figure, settings);
  made.animation = animation_file(figure, settings);
  std::vector<uint64_t> seeds;
  for (const std::string& file : made.files) describe(file, made, seeds);
  if (made.files.empty()) made.command = shell_command(command_line(figure, settings));
  if (made.files.empty() && figure.samples) seeds = {static_cast<uint64_t>(settings.seed)};
  made.seeds = describe_seeds(seeds);
  return made;
}

bool has_model(const std::string& name) {
  try {
    return std::filesystem::exists(find_model(name));
  } catch (const IoError&) {
    return false;
  }
}

}  // namespace ebb
