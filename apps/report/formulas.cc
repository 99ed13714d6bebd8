#include "apps/report/formulas.h"

#include "apps/report/math.h"

namespace ebb::formula {
namespace {

Math x(const char* index) { return sub("x", index); }
Math alpha_bar(const char* index) { return sub(bar("α"), index); }
Math one_minus(const Math& value) { return row("1", "−", value); }
Math in_parentheses(const Math& inner) { return row("(", inner, ")"); }
Math eps(const char* index) { return sub("ε", index); }
Math squared_norm(const Math& inner) { return row("‖", inner, sup("‖", "2")); }
Math normal() { return row("ε", "∼", named("N"), "(", "0", ",", named("I"), ")"); }
Math space() { return Math::of_xml("<mspace width=\"2em\"/>"); }

}  // namespace

std::string forward() {
  return display_math(row(x("t"), "=", root(alpha_bar("t")), x("0"), "+",
                          root(one_minus(alpha_bar("t"))), "ε", ",", space(), normal()));
}

std::string one_step() {
  return display_math(row(
      hat(x("0")), "=",
      frac(row(x("t"), "−", root(one_minus(alpha_bar("t"))), eps("θ"), "(", x("t"), ",", "t", ")"),
           root(alpha_bar("t")))));
}

std::string iterative() {
  const Math later = sub(bar("α"), "s");
  return display_math(row(
             x("s"), "=", frac(row(root(later), "β"), one_minus(alpha_bar("t"))), hat(x("0")), "+",
             frac(row(root("α"), in_parentheses(one_minus(later))), one_minus(alpha_bar("t"))),
             x("t"), "+", "σ", "z")) +
         display_math(
             row("α", "=", frac(alpha_bar("t"), later), ",", space(), "β", "=", one_minus("α")));
}

std::string guidance() {
  return display_math(
      row("ε", "=", eps("u"), "+", "γ", in_parentheses(row(eps("c"), "−", eps("u")))));
}

std::string inpainting() {
  return display_math(row(x("t"), "←", "m", "·", x("t"), "+", in_parentheses(one_minus("m")), "·",
                          in_parentheses(row(root(alpha_bar("t")), sub("x", named("orig")), "+",
                                             root(one_minus(alpha_bar("t"))), "ε"))));
}

std::string anagram() {
  const Math turned = row("V", x("t"));
  return display_math(
      row("ε", "=", frac("1", "2"),
          in_parentheses(row(eps("1"), in_parentheses(x("t")), "+", sup("V", row("−", "1")),
                             eps("2"), in_parentheses(turned)))));
}

std::string hybrid() {
  return display_math(row("ε", "=", named("lowpass"), in_parentheses(eps("far")), "+", eps("near"),
                          "−", named("lowpass"), in_parentheses(eps("near"))));
}

std::string denoiser_loss() {
  return display_math(row("z", "=", "x", "+", "σ", "ε", ",", space(), "L", "=",
                          squared_norm(row(sub("D", "θ"), in_parentheses("z"), "−", "x"))));
}

std::string noise_loss() {
  return display_math(
      row("L", "=", squared_norm(row("ε", "−", eps("θ"), "(", x("t"), ",", "t", ",", "c", ")"))));
}

std::string flow() {
  return display_math(row(x("t"), "=", in_parentheses(one_minus("t")), "ε", "+", "t", "x", ",",
                          space(), "L", "=",
                          squared_norm(row(sub("u", "θ"), "(", x("t"), ",", "t", ",", "c", ")", "−",
                                           in_parentheses(row("x", "−", "ε"))))));
}

}  // namespace ebb::formula
