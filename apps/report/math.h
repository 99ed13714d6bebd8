#pragma once

#include <string>

namespace ebb {

// A piece of presentation MathML, which browsers set without a script. A string literal becomes one
// token: a number, an identifier (letters, also Greek) or an operator.
struct Math {
  Math(const char* token);  // NOLINT(google-explicit-constructor): formulas read as they are set
  static Math of_xml(std::string xml);

  std::string xml;
};

Math sub(const Math& base, const Math& index);
Math sup(const Math& base, const Math& exponent);
Math hat(const Math& base);
Math bar(const Math& base);
Math frac(const Math& above, const Math& below);
Math named(const std::string& name);  // upright, such as "net"

template <typename... Parts>
Math row(const Parts&... parts) {
  return Math::of_xml("<mrow>" + (Math(parts).xml + ...) + "</mrow>");
}

template <typename... Parts>
Math root(const Parts&... parts) {
  return Math::of_xml("<msqrt>" + row(parts...).xml + "</msqrt>");
}

// A formula on a line of its own, and one within text.
std::string display_math(const Math& formula);
std::string inline_math(const Math& formula);

}  // namespace ebb
