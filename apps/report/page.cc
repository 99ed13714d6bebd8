#include "apps/report/page.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/report/html.h"
#include "apps/report/page_assets.h"
#include "base/error.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr int kMaxWidth = 700;   // CSS pixels of an image made of tiles
constexpr int kMaxScale = 4;     // CSS pixels per pixel of it
constexpr int kTileWidth = 112;  // of one 28 x 28 image
constexpr int kSceneWidth = 176;

// Whole CSS pixels per pixel keep the squares equal.
int display_width(int width) {
  return width * std::clamp(kMaxWidth / std::max(width, 1), 1, kMaxScale);
}

std::string png_uri(const std::string& path) { return data_uri(path, "image/png"); }

std::string label_of(const Figure& figure, size_t tile) {
  return tile < figure.labels.size() ? figure.labels[tile] : "";
}

std::string image(const std::string& file, const std::string& alt, const char* kind, int width,
                  int height) {
  return cat("<img class=\"", kind, "\" src=\"", png_uri(file), "\" alt=\"", escape_html(alt),
             "\" width=\"", width, "\" height=\"", height, "\">");
}

std::string grid(const Figure& figure, const MadeFigure& made) {
  std::ostringstream out;
  out << "<div class=\"strip\" style=\"--w:" << display_width(made.width)
      << "px;--cols:" << std::max<size_t>(figure.labels.size(), 1) << "\">";
  if (!figure.labels.empty()) {
    out << "<div class=\"labels\">";
    for (const std::string& label : figure.labels)
      out << "<span>" << escape_html(label) << "</span>";
    out << "</div>";
  }
  out << image(made.files[0], figure.alt, "pixel", made.width, made.height) << "</div>";
  return out.str();
}

std::string tiles(const Figure& figure, const MadeFigure& made, const std::string& classes,
                  const std::string& attributes = "") {
  const bool scene = figure.show == Show::kScene;
  const int width = scene ? kSceneWidth : kTileWidth;
  std::ostringstream out;
  out << "<div class=\"tiles " << classes << "\" style=\"--w:" << width << "px\"" << attributes
      << ">";
  for (size_t i = 0; i < made.files.size(); ++i) {
    const std::string label = label_of(figure, i);
    const std::string alt = made.files.size() == 1
                                ? figure.alt
                                : cat(figure.alt, ", ", i + 1, " of ", made.files.size());
    out << "<div class=\"tile\">"
        << image(made.files[i], alt, scene ? "photo" : "pixel", made.width, made.height);
    if (!label.empty()) out << "<span>" << escape_html(label) << "</span>";
    out << "</div>";
  }
  out << "</div>";
  return out.str();
}

// labels: what is read upright, what is read turned.
std::string flip(const Figure& figure, const MadeFigure& made) {
  const bool rotate = figure.turn == Turn::kRotate180;
  const std::string turn = cat(" data-turn=\"", rotate ? "rotate_180" : "flip", "\"");
  Figure bare = figure;
  bare.labels.clear();
  Figure turned_copy = bare;
  turned_copy.alt = cat(figure.alt, ", turned");
  const std::string upright = escape_html(label_of(figure, 0)),
                    turned = escape_html(label_of(figure, 1));
  return cat(tiles(bare, made, "turning", turn),
             "<p class=\"controls\"><button type=\"button\" "
             "data-flip aria-pressed=\"false\">",
             rotate ? "Turn by 180\u00b0" : "Flip upside down", "</button><output data-upright=\"",
             upright, "\" data-turned=\"", turned, "\">", upright, "</output></p>",
             tiles(turned_copy, made, "twin", turn));
}

std::string distance(const Figure& figure, const MadeFigure& made) {
  Figure distant = figure;
  distant.labels.clear();
  distant.alt = cat(figure.alt, ", from afar");
  return cat(tiles(figure, made, "distance"),
             "<p class=\"controls\"><label>Step back <input type=\"range\" data-distance min=\"1\" "
             "max=\"8\" step=\"0.1\" value=\"1\"></label><output>1.0 \u00d7 as far</output></p>",
             tiles(distant, made, "twin far"));
}

std::string image(const Figure& figure, const MadeFigure& made) {
  switch (figure.show) {
    case Show::kGrid:
      return grid(figure, made);
    case Show::kFlip:
      return flip(figure, made);
    case Show::kDistance:
      return distance(figure, made);
    case Show::kPrinted:
      return "";
    case Show::kLabeled:
      return cat("<div class=\"labeled\" tabindex=\"0\" role=\"group\" style=\"--own:", made.width,
                 "px\" aria-label=\"", escape_html(figure.alt), "\">",
                 image(made.files[0], figure.alt, "figure", made.width, made.height), "</div>");
    case Show::kChart:
      return image(made.files[0], figure.alt, "chart", made.width, made.height);
    case Show::kTiles:
    case Show::kScene:
      break;
  }
  return tiles(figure, made, "");
}

std::string seconds_text(double seconds) {
  if (seconds >= 0.1) return format_duration(seconds);
  return cat(std::max<int64_t>(1, std::llround(1000 * seconds)), " ms");
}

std::string seeds_text(const std::string& seeds) {
  if (seeds.empty()) return "no random numbers";
  return cat(seeds.find(' ') == std::string::npos ? "seed " : "seeds ", seeds);
}

std::string made_by(const MadeFigure& made) {
  std::ostringstream out;
  out << "<div class=\"made\"><code>" << escape_html(made.command)
      << "</code><div class=\"facts-line\">";
  for (const std::string& fact :
       {seeds_text(made.seeds), seconds_text(made.seconds), made.schedule, made.model}) {
    if (!fact.empty()) out << "<span>" << escape_html(fact) << "</span>";
  }
  out << "</div></div>";
  return out.str();
}

// One box for all figures of a section that lack the same thing.
std::string missing(const Section& section, const std::map<std::string, MadeFigure>& made) {
  std::map<std::string, std::pair<std::string, std::string>> boxes;  // problem -> figures, command
  for (const Figure& figure : section.figures) {
    const std::string& problem = made.at(figure.id).problem;
    if (problem.empty()) continue;
    auto& [figures, command] = boxes[problem];
    figures += cat("<li>", escape_html(figure.alt), "</li>");
    command = made.at(figure.id).remedy;
  }
  std::ostringstream out;
  for (const auto& [problem, box] : boxes) {
    out << "<div class=\"missing\" role=\"note\"><strong>" << escape_html(problem)
        << "</strong><p>What would stand here:</p><ul>" << box.first
        << "</ul><p>This helps:</p><code>" << escape_html(box.second) << "</code></div>\n";
  }
  return out.str();
}

std::string render(const Figure& figure, const MadeFigure& made) {
  if (!made.problem.empty()) return "";
  std::ostringstream out;
  out << "<figure id=\"fig-" << figure.id << "\">" << image(figure, made);
  const bool quotes = figure.shows_output || figure.show == Show::kPrinted;
  if (quotes && !made.printed.empty()) {
    const char* kind = figure.show == Show::kPrinted ? "printed tables" : "printed";
    out << "<pre class=\"" << kind << "\" tabindex=\"0\">" << escape_html(made.printed) << "</pre>";
  }
  out << "<figcaption>" << (figure.caption.empty() ? "" : cat("<p>", figure.caption, "</p>"))
      << made_by(made) << "</figcaption></figure>\n";
  return out.str();
}

std::string render(const FoundImage& found) {
  const PngInfo info = read_png_info(found.file);
  return cat("<figure><div class=\"strip\" style=\"--w:", display_width(info.width), "px\">",
             image(found.file, found.alt, "pixel", info.width, info.height),
             "</div><figcaption><p>", found.caption, "</p><div class=\"made\"><code>",
             escape_html(found.command), "</code></div></figcaption></figure>\n");
}

std::string contents(const std::vector<Part>& parts) {
  std::ostringstream out;
  out << "<nav class=\"toc\" aria-label=\"Contents\"><details "
         "open><summary>Contents</summary><ol>\n";
  for (const Part& part : parts) {
    out << "<li><b>" << escape_html(part.title) << "</b></li>\n";
    const bool numbers = std::any_of(part.sections.begin(), part.sections.end(),
                                     [](const Section& s) { return !s.number.empty(); });
    for (const Section& section : part.sections) {
      out << "<li><a href=\"#" << section.id << "\">";
      if (numbers) out << "<span class=\"number\">" << section.number << "</span>";
      out << "<span>" << escape_html(section.title) << "</span></a></li>\n";
    }
  }
  out << "</ol></details></nav>\n";
  return out.str();
}

std::string section_title(const Section& section) {
  const std::string number =
      section.number.empty() ? "" : cat("<span class=\"number\">", section.number, "</span>");
  return cat("<h3><a class=\"anchor\" href=\"#", section.id, "\">", number,
             escape_html(section.title), "</a></h3>\n");
}

std::string head() {
  return cat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"generator\" content=\"ebb ",
      program_version(),
      "\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>Fun with diffusion models, made by ebb</title>\n<style>\n",
      kPageStyle,
      "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the figures</a>\n");
}

std::string top(const std::vector<PageFact>& facts) {
  std::ostringstream out;
  out << "<header class=\"top\"><h1>Fun with diffusion models</h1>\n<p class=\"lead\">A diffusion "
         "model learns one thing, to remove a little noise from an image. This page shows how "
         "much "
         "follows from it: new digits, edited photos, filled holes, images that read differently "
         "upside down or from afar. It re-creates the assignment of that name of Berkeley\u2019s "
         "course CS180, both parts, with the models of ebb. Each figure is shown with the command, "
         "the seed and the time it took; <code>ebb rerun</code> regenerates any of them, byte for "
         "byte.</p>\n<dl class=\"facts\">";
  for (const PageFact& fact : facts) {
    out << "<div><dt>" << escape_html(fact.name) << "</dt><dd>" << escape_html(fact.value)
        << "</dd></div>";
  }
  out << "</dl></header>\n";
  return out.str();
}

}  // namespace

std::string render_page(const std::vector<Part>& parts,
                        const std::map<std::string, MadeFigure>& made,
                        const std::vector<PageFact>& facts) {
  std::ostringstream out;
  out << head() << "<div class=\"frame\">\n"
      << top(facts) << contents(parts) << "<main id=\"main\">\n";
  for (const Part& part : parts) {
    out << "<h2>" << escape_html(part.title) << "</h2>\n<div class=\"text\">" << part.text
        << "</div>\n";
    for (const Section& section : part.sections) {
      out << "<section id=\"" << section.id << "\">\n"
          << section_title(section) << "<div class=\"text\">" << section.text << "</div>\n";
      if (section.gallery) out << "<div class=\"gallery\">\n";
      for (const Figure& figure : section.figures) out << render(figure, made.at(figure.id));
      if (section.gallery) out << "</div>\n";
      out << missing(section, made);
      for (const FoundImage& found : section.found) out << render(found);
      out << "</section>\n";
    }
  }
  out << "</main>\n<footer class=\"foot\"><p>Made by ebb " << program_version()
      << ". The page holds all its images and loads nothing from the network. Photos and sketches "
         "were generated by ebb; no image is from elsewhere.</p></footer>\n</div>\n<script>\n"
      << kPageScript << "</script>\n</body>\n</html>\n";
  return out.str();
}

}  // namespace ebb
