#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "apps/cli/cli.h"
#include "apps/cli/image_bytes.h"
#include "apps/cli/progress.h"
#include "apps/cli/results.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
#include "apps/report/figure_maker.h"
#include "apps/report/own_text.h"
#include "apps/report/page.h"
#include "apps/report/plan.h"
#include "base/atomic_file.h"
#include "base/closest_name.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "diffusion/diffusers_model.h"
#include "diffusion/find_model.h"
#include "diffusion/image_noise.h"
#include "diffusion/model_history.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

struct Flags {
  ReportSettings settings;
  std::string sections;  // "a,b"; empty: all
  std::string text;      // file of the user's words; empty: none
  std::vector<std::string> runs, prompts;
  DeviceFlags device;
  bool model_given = false;
  bool force = false;
  bool json = false;
  ProgressFlag progress;
};

using MadeFigures = std::map<std::string, MadeFigure>;

// For the help, which is printed without reading any model; what report_plan() makes of them.
constexpr const char* kSections =
    "photos, digits, forward, blur, one-step, iterative, samples, guidance, edit, sketches, "
    "inpaint, text-edit, anagrams, hybrids, decompositions, models, denoiser, sigmas, pure-noise, "
    "time, class, flow, time-flow, constant-rate, film, samplers, metrics";

std::set<std::string> parse_sections(const std::string& text, const std::vector<Part>& plan) {
  std::set<std::string> known, wanted;
  std::string names;
  for (const Part& part : plan) {
    for (const Section& section : part.sections) {
      known.insert(section.id);
      names += (names.empty() ? "" : ", ") + section.id;
    }
  }
  if (text.empty()) return wanted;
  for (const std::string& id : split_list(text)) {
    EBB_CHECK(known.contains(id), UsageError, "--sections ", terminal_safe(text), ": no section ",
              quoted(id), ".", did_you_mean(id, {known.begin(), known.end()}), " Choose from ",
              names, ".");
    wanted.insert(id);
  }
  return wanted;
}

std::vector<Part> keep_sections(std::vector<Part> plan, const std::set<std::string>& wanted) {
  if (wanted.empty()) return plan;
  for (Part& part : plan) {
    std::erase_if(part.sections, [&](const Section& s) { return !wanted.contains(s.id); });
  }
  std::erase_if(plan, [](const Part& part) { return part.sections.empty(); });
  return plan;
}

std::map<std::string, Figure> figures_by_id(const std::vector<Part>& plan) {
  std::map<std::string, Figure> figures;
  for (const Part& part : plan) {
    for (const Section& section : part.sections) {
      for (const Figure& figure : section.figures) {
        EBB_CHECK(figures.emplace(figure.id, figure).second, Error, "two figures ", figure.id);
      }
    }
  }
  return figures;
}

// The figures of `plan`, each behind the figures it starts from, which other sections may show.
std::vector<Figure> in_order(const std::vector<Part>& plan,
                             const std::map<std::string, Figure>& all) {
  std::vector<Figure> ordered;
  std::set<std::string> listed;
  const auto add = [&](const Figure& figure) {
    if (listed.insert(figure.id).second) ordered.push_back(figure);
  };
  for (const auto& [id, figure] : figures_by_id(plan)) {
    for (const std::string& input : figure.inputs) add(all.at(input));
  }
  for (const Part& part : plan) {
    for (const Section& section : part.sections) {
      for (const Figure& figure : section.figures) add(figure);
    }
  }
  return ordered;
}

// --force replaces a report, not another page of that name.
void check_is_report(const std::string& page) {
  constexpr uint64_t kHeadBytes = 2048;
  std::error_code error;
  if (!fs::exists(page, error)) return;
  const FileReader file(page);
  std::string head(std::min(file.size(), kHeadBytes), '\0');
  file.read_at(0, head.data(), head.size());
  EBB_CHECK(head.find("<meta name=\"generator\" content=\"ebb ") != std::string::npos, IoError,
            file.label(), ": is no report of ebb and is kept. Choose another -o.");
}

// An existing directory is refused without --force, and then loses the figures that are made anew.
void prepare_directory(const Flags& flags, const std::vector<Figure>& figures) {
  const std::string& directory = flags.settings.directory;
  std::error_code error;
  if (fs::exists(directory, error)) {
    EBB_CHECK(fs::is_directory(directory, error), IoError, path_label(directory),
              ": is a file, expected a directory or a free name. Choose another -o.");
    EBB_CHECK(flags.force || fs::is_empty(directory, error), IoError, path_label(directory),
              ": exists and is not empty. Choose another -o, or replace the report with --force.");
  }
  check_is_report(directory + "/index.html");
  fs::create_directories(directory + "/figures", error);
  EBB_CHECK(!error, IoError, path_label(directory),
            ": cannot be made: ", describe_errno(error.value()));
  check_output_file(directory + "/index.html", Overwrite::kReplace);
  for (const Figure& figure : figures) {
    for (const std::string& file : figure_files(figure, flags.settings)) fs::remove(file, error);
    const std::string animation = animation_file(figure, flags.settings);
    if (!animation.empty()) fs::remove(animation, error);
  }
}

// Runs the command of a figure; warnings go to `invocation.err`, those of several figures once.
RunFigureCommand figure_command(const Invocation& invocation) {
  return [&invocation, shown = std::make_shared<std::set<std::string>>()](
             const std::vector<std::string>& arguments, std::ostream& out) {
    std::stringstream err;
    run_command({.arguments = arguments, .out = out, .err = err, .progress = ProgressMode::kNone});
    for (std::string line; std::getline(err, line);) {
      if (shown->insert(line).second) invocation.err << line << '\n';
    }
  };
}

// "1.8 Visual anagrams" of every figure, by its id.
std::map<std::string, std::string> section_titles(const std::vector<Part>& plan) {
  std::map<std::string, std::string> titles;
  for (const Part& part : plan) {
    for (const Section& section : part.sections) {
      const std::string number = section.number.empty() ? "" : section.number + " ";
      for (const Figure& figure : section.figures) titles[figure.id] = number + section.title;
    }
  }
  return titles;
}

// In lines, each section that begins says so.
MadeFigures make_all(const std::vector<Figure>& figures,
                     const std::map<std::string, std::string>& titles,
                     const ReportSettings& settings, const Invocation& invocation,
                     Progress& progress) {
  MadeFigures made;
  const RunFigureCommand run = figure_command(invocation);
  progress.begin(static_cast<int64_t>(figures.size()), {.name = "figure", .has_bar = false});
  std::string shown;
  for (const Figure& figure : figures) {
    const std::string& title = titles.at(figure.id);
    const auto facts = [&] { return std::vector<ProgressFact>{{"section", title, title}}; };
    const auto done = static_cast<int64_t>(made.size());
    title == shown ? progress.update(done, facts) : progress.milestone(done, facts);
    shown = title;
    made[figure.id] = make_figure(figure, settings, run);
  }
  progress.update(static_cast<int64_t>(made.size()));
  progress.finish();
  return made;
}

// "left out 2 figures: The digits of MNIST are not here."; empty when all were made.
std::string what_is_missing(const std::vector<Figure>& figures, const MadeFigures& made) {
  int64_t left_out = 0;
  std::set<std::string> problems;
  for (const Figure& figure : figures) {
    const std::string& problem = made.at(figure.id).problem;
    if (problem.empty()) continue;
    ++left_out;
    problems.insert(problem);
  }
  if (left_out == 0) return "";
  std::string text = cat("left out ", left_out, left_out == 1 ? " figure:" : " figures:");
  for (const std::string& problem : problems) text += " " + problem;
  return text;
}

std::string read_text(const std::string& path) {
  constexpr uint64_t kMaxBytes = 1 << 20;
  const FileReader file(path);
  EBB_CHECK(file.size() <= kMaxBytes, UsageError, "--text ", file.label(), ": ", file.size(),
            " bytes, expected a text of at most ", kMaxBytes, ".");
  std::string text(file.size(), '\0');
  file.read_at(0, text.data(), text.size());
  EBB_CHECK(is_utf8(text), UsageError, "--text ", file.label(),
            ": is not UTF-8. Save it in that encoding.");
  return text;
}

// Images that cannot be read are refused before minutes of work.
void check_own_images(const ReportSettings& settings) {
  std::vector<std::string> files = settings.photos;
  files.insert(files.end(), settings.drawings.begin(), settings.drawings.end());
  if (!settings.mask.empty()) files.push_back(settings.mask);
  for (const std::string& file : files) decode_image(ImageBytes(file));
}

PageHead page_head(const ReportSettings& settings, size_t figures, double seconds) {
  PageHead head{.title = settings.title, .introduction = "", .facts = {}};
  head.facts = {{"Figures", std::to_string(figures)},
                {"Made in", format_duration(seconds)},
                {"Seed", std::to_string(settings.seed)},
                {"Model of part A", path_label(settings.model)},
                {"Program", cat("ebb ", program_version())}};
  if (settings.fast) head.facts.push_back({"Preview (--fast)", "few steps, rough digits"});
  head.own_images =
      !settings.photos.empty() || !settings.drawings.empty() || !settings.mask.empty();
  return head;
}

void run(Flags flags, const Invocation& invocation) {
  ReportSettings& settings = flags.settings;
  for (const std::string& model : flags.runs) use_run(model, settings.models);
  for (const std::string& prompts : flags.prompts) use_prompts(prompts, settings);
  check_own_images(settings);
  Results results(invocation.out, flags.json);
  Progress progress(invocation.progress.value_or(flags.progress.mode()));
  while (settings.directory.size() > 1 && settings.directory.ends_with('/'))
    settings.directory.pop_back();
  // A model that was given must exist; only the default may be missing.
  if (flags.model_given && !is_diffusers_model(find_model(settings.model))) {
    read_model_history(find_model(settings.model));
  }
  std::vector<Part> whole = report_plan(settings);
  const std::string introduction =
      flags.text.empty() ? "" : use_own_text(read_text(flags.text), path_label(flags.text), whole);
  const std::vector<Part> plan = keep_sections(whole, parse_sections(flags.sections, whole));
  const std::vector<Figure> figures = in_order(plan, figures_by_id(whole));
  prepare_directory(flags, figures);

  const double start = results.seconds();
  const MadeFigures made = make_all(figures, section_titles(whole), settings, invocation, progress);
  const double elapsed = results.seconds() - start;

  PageHead head = page_head(settings, figures.size(), elapsed);
  head.introduction = introduction;
  const std::string page = render_page(plan, made, head);
  const std::string path = settings.directory + "/index.html";
  write_file(path, page);
  results.text() << path_label(path) << "  " << figures.size() << " figures in "
                 << format_duration(elapsed) << ", " << format_bytes(page.size()) << '\n';
  const std::string missing = what_is_missing(figures, made);
  if (!missing.empty()) results.text() << missing << '\n';
  results.set("figures", figures.size());
  results.set("missing", missing);
  results.set("seed", settings.seed);
  results.set("model", settings.model);
  results.add_file(path, "report");
  results.print();
}

}  // namespace

// `ebb report -o DIR`: the whole assignment as one HTML page, each figure made by a command of ebb.
void add_report(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("-o,--output", flags->settings.directory, "Output directory")
      .required()
      .takes(FlagValue::kDirectory)
      .group(kOutputGroup);
  command.add_option("--model", flags->settings.model, "Model of part A")
      .show_default()
      .takes(FlagValue::kModel);
  add_variant_flag(command, flags->settings.variant);
  command
      .add_option("--embeddings", flags->settings.embeddings,
                  "Prompts for a --model that reads text, as ebb sample takes them")
      .takes(FlagValue::kWeights);
  command
      .add_option("--sections", flags->sections,
                  cat("Only these sections, separated by commas, of ", kSections))
      .type_name("NAMES");
  add_integer(command, "-s,--seed", flags->settings.seed, 0, ImageNoise::kMaxSeed,
              "Seed of every figure (180, as in the assignment)");
  command.add_flag("--fast", flags->settings.fast,
                   "Use only a few sampling steps, for a quick preview");
  command
      .add_option("--data", flags->settings.data,
                  "Directory of the four MNIST files ($EBB_DATA, else data/mnist)")
      .takes(FlagValue::kDirectory);
  command
      .add_option("--run", flags->runs,
                  "Trainings of your own: directories of runs or model files, each for the section "
                  "that its settings fit")
      .takes(FlagValue::kModel);
  command.start_group("Words and images of your own");
  command.add_option("--title", flags->settings.title, "Title of the page");
  command
      .add_option("--text", flags->text,
                  "Text file with your words: behind a line '# SECTION' those of a section; a line "
                  "... stands for ebb's own")
      .takes(FlagValue::kFile);
  command.add_option("--photo", flags->settings.photos, "Photos to edit, instead of ebb's")
      .takes(FlagValue::kImage);
  command.add_option("--drawing", flags->settings.drawings, "Drawings to edit, instead of ebb's")
      .takes(FlagValue::kImage);
  command.add_option("--mask", flags->settings.mask, "Mask to inpaint with, instead of ebb's")
      .takes(FlagValue::kImage);
  command
      .add_option("--prompts", flags->prompts,
                  "Prompts of a section: text-edit=seven,three anagrams=6/9,2/5:flip "
                  "hybrids=8/2 (far/near)")
      .type_name("SECTION=LIST");
  command.start_group(kOptionGroup);
  add_device_flags(command, flags->device);
  command.add_flag("--force", flags->force, "Overwrite an existing report").group(kOutputGroup);
  add_json_flag(command, flags->json);
  add_progress_flag(command, flags->progress);
  command.callback([flags, command, &invocation] {
    flags->model_given = command.option("--model").given();
    for (const char* name : {"--device", "--threads", "--precision", "--kernels"}) {
      if (!command.option(name).given()) continue;
      const std::vector<std::string> value = command.option(name).values();
      flags->settings.run_flags.insert(flags->settings.run_flags.end(), {name, value.back()});
    }
    run(*flags, invocation);
  });
}

}  // namespace ebb
