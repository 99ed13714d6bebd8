#include "apps/report/page.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/report/figure_images.h"
#include "apps/report/html.h"
#include "apps/report/page_assets.h"
#include "base/error.h"

namespace ebb {
namespace {

using MadeFigures = std::map<std::string, MadeFigure>;

std::string seconds_text(double seconds) {
  if (seconds >= 0.1) return format_duration(seconds);
  return cat(std::max<int64_t>(1, std::llround(1000 * seconds)), " ms");
}

std::string seeds_text(const std::string& seeds) {
  if (seeds.empty()) return "no random numbers";
  return cat(seeds.find(' ') == std::string::npos ? "seed " : "seeds ", seeds);
}

std::string facts_line(const MadeFigure& made) {
  std::ostringstream out;
  for (const std::string& fact :
       {seeds_text(made.seeds), made.schedule, seconds_text(made.seconds), made.model}) {
    if (!fact.empty()) out << "<span>" << escape_html(fact) << "</span>";
  }
  return out.str();
}

// The command line, folded behind the facts. Words stay whole: a flag is not broken at its hyphens.
std::string made_by(const std::string& command, const std::string& facts) {
  return cat("<details class=\"made\"><summary><span class=\"facts-line\">", facts,
             "</span></summary><div class=\"command\"><code>", whole_words(command),
             "</code><button type=\"button\" data-copy>Copy</button></div></details>");
}

// One line for all figures of a section that lack the same thing.
std::string missing(const Section& section, const MadeFigures& made) {
  std::map<std::string, std::pair<std::string, std::string>> boxes;  // problem -> figures, command
  for (const Figure& figure : section.figures) {
    const std::string& problem = made.at(figure.id).problem;
    if (problem.empty()) continue;
    auto& [figures, command] = boxes[problem];
    figures += cat(figures.empty() ? "" : "; ", escape_html(figure.alt));
    command = made.at(figure.id).remedy;
  }
  std::ostringstream out;
  for (const auto& [problem, box] : boxes) {
    out << "<div class=\"missing\" role=\"note\"><p><strong>" << escape_html(problem)
        << "</strong> Left out: " << box.first << ".</p><p>This helps: <code>"
        << whole_words(box.second) << "</code></p></div>\n";
  }
  return out.str();
}

std::string tables(const MadeFigure& made) {
  std::ostringstream out;
  for (const ResultTable& table : made.tables) {
    out << "<div class=\"wide\"><table>";
    if (!table.title.empty()) out << "<caption>" << escape_html(table.title) << "</caption>";
    out << "<thead><tr>";
    for (const std::string& column : table.columns) out << "<th>" << escape_html(column) << "</th>";
    out << "</tr></thead><tbody>";
    for (const std::vector<std::string>& row : table.rows) {
      out << "<tr>";
      for (const std::string& value : row) out << "<td>" << escape_html(value) << "</td>";
      out << "</tr>";
    }
    out << "</tbody></table></div>";
  }
  return out.str();
}

std::string render(const Figure& figure, const MadeFigures& all) {
  const MadeFigure& made = all.at(figure.id);
  if (!made.problem.empty()) return "";
  std::ostringstream out;
  out << "<figure id=\"fig-" << figure.id << "\">" << figure_images(figure, all) << "<figcaption>"
      << (figure.caption.empty() ? "" : cat("<p>", figure.caption, "</p>")) << tables(made)
      << (made.command.empty() ? "<p class=\"own\">the author\u2019s image</p>"
                               : made_by(made.command, facts_line(made)))
      << "</figcaption></figure>\n";
  return out.str();
}

std::string render(const FoundImage& found) {
  return cat("<figure>", found_image(found), "<figcaption><p>", found.caption, "</p>",
             made_by(found.command, "<span>training</span>"), "</figcaption></figure>\n");
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

constexpr const char* kTitle = "Fun with diffusion models";
constexpr const char* kIntroduction =
    "<p class=\"lead\">A diffusion model learns one thing, to remove a little noise from an image. "
    "This page shows how much follows from it: new digits, edited photos, filled holes, images "
    "that read differently upside down or from afar. It re-creates the assignment of that name of "
    "Berkeley\u2019s course CS180, both parts, with the models of ebb. Each figure keeps the "
    "command, the seed and the time it took; <code>ebb rerun</code> regenerates any of them, byte "
    "for byte.</p>";

std::string document_head(const std::string& title) {
  return cat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"generator\" content=\"ebb ",
      program_version(), "\">\n<link rel=\"icon\" href=\"data:,\">\n<title>", title,
      "</title>\n<style>\n", kPageStyle,
      "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the figures</a>\n");
}

std::string top(const PageHead& head, const std::string& title) {
  std::ostringstream out;
  out << "<header class=\"top\"><h1>" << title << "</h1>\n"
      << (head.introduction.empty() ? kIntroduction : head.introduction)
      << "\n<dl class=\"facts\">";
  for (const PageFact& fact : head.facts) {
    out << "<div><dt>" << escape_html(fact.name) << "</dt><dd>" << escape_html(fact.value)
        << "</dd></div>";
  }
  out << "</dl></header>\n";
  return out.str();
}

std::string render(const Section& section, const MadeFigures& made) {
  std::ostringstream out;
  out << "<section id=\"" << section.id << "\">\n<div class=\"opening\">" << section_title(section)
      << "<div class=\"text\">" << section.text << "</div></div>\n";
  if (!section.diagram.empty()) {
    out << "<div class=\"drawn\">" << section.diagram << "</div>\n";
  }
  if (section.gallery) out << "<div class=\"gallery\">\n";
  for (const Figure& figure : section.figures) out << render(figure, made);
  if (section.gallery) out << "</div>\n";
  out << missing(section, made);
  for (const FoundImage& found : section.found) out << render(found);
  out << section.note << "</section>\n";
  return out.str();
}

}  // namespace

std::string render_page(const std::vector<Part>& parts, const MadeFigures& made,
                        const PageHead& head) {
  const std::string title = escape_html(head.title.empty() ? kTitle : head.title);
  std::ostringstream out;
  out << document_head(title) << "<div class=\"frame\">\n"
      << top(head, title) << contents(parts) << "<main id=\"main\">\n";
  for (const Part& part : parts) {
    out << "<div class=\"part\"><h2>" << escape_html(part.title) << "</h2>\n<div class=\"text\">"
        << part.text << "</div></div>\n";
    for (const Section& section : part.sections) out << render(section, made);
  }
  out << "</main>\n<footer class=\"foot\"><p>Made by ebb " << program_version()
      << ". The page holds all its images and loads nothing from the network."
      << (head.own_images ? ""
                          : " Photos and sketches were generated by ebb; no image is from "
                            "elsewhere.")
      << "</p></footer>\n</div>\n<script>\n"
      << kPageScript << "</script>\n</body>\n</html>\n";
  return out.str();
}

}  // namespace ebb
