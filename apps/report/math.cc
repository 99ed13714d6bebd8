#include "apps/report/math.h"

#include <cctype>
#include <string_view>
#include <utility>

namespace ebb {
namespace {

// UTF-8 leads with 0xCE or 0xCF for Greek; the operators in use (·, −, ×, ‖) lead with others.
bool is_letter(std::string_view token) {
  const auto first = static_cast<unsigned char>(token[0]);
  return std::isalpha(first) != 0 || first == 0xCE || first == 0xCF;
}

std::string element(const char* name, const std::string& content) {
  return std::string("<") + name + ">" + content + "</" + name + ">";
}

}  // namespace

Math::Math(const char* token) {
  const std::string_view text = token;
  const bool digit = std::isdigit(static_cast<unsigned char>(text[0])) != 0;
  xml = element(digit ? "mn" : is_letter(text) ? "mi" : "mo", token);
}

Math Math::of_xml(std::string xml) {
  Math result("0");
  result.xml = std::move(xml);
  return result;
}

Math sub(const Math& base, const Math& index) {
  return Math::of_xml(element("msub", base.xml + index.xml));
}

Math sup(const Math& base, const Math& exponent) {
  return Math::of_xml(element("msup", base.xml + exponent.xml));
}

Math hat(const Math& base) {
  return Math::of_xml("<mover accent=\"true\">" + base.xml + "<mo>^</mo></mover>");
}

Math bar(const Math& base) {
  return Math::of_xml("<mover accent=\"true\">" + base.xml + "<mo>\u00af</mo></mover>");
}

Math frac(const Math& above, const Math& below) {
  return Math::of_xml(element("mfrac", above.xml + below.xml));
}

Math named(const std::string& name) {
  return Math::of_xml("<mi mathvariant=\"normal\">" + name + "</mi>");
}

std::string display_math(const Math& formula) {
  return "<math display=\"block\">" + formula.xml + "</math>";
}

std::string inline_math(const Math& formula) { return element("math", formula.xml); }

}  // namespace ebb
