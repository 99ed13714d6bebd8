#include "testing/op_cases.h"

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "testing/catch.h"
#include "testing/op_roofline.h"

namespace ebb {
namespace {

// GFLOP and MB (2-byte storage) of the public cases, to the digits in which they are published.
const std::map<std::string, std::pair<double, double>> kPublished = {
    {"P-C1", {5.44, 6.96}},     {"P-C2", {5.44, 5.80}},    {"P-C3", {3.06, 7.15}},
    {"P-C4", {1.36, 11.01}},    {"P-C5", {73.08, 31.99}},  {"P-C6", {73.08, 47.22}},
    {"P-C7", {41.11, 84.62}},   {"P-C8", {18.27, 144.18}}, {"P-C9", {146.16, 52.45}},
    {"P-C10", {36.54, 287.64}}, {"P-C11", {0.31, 11.62}},  {"P-C12", {0.62, 11.71}},
    {"P-C13", {292.33, 81.82}}, {"P-T1", {59.19, 103.06}}, {"P-T2", {118.38, 154.73}},
    {"P-T3", {14.80, 64.52}},   {"P-T4", {14.80, 14.02}},  {"P-T5", {14.80, 51.45}},
    {"P-T6", {0.46, 51.78}},    {"P-T7", {52.61, 78.12}},  {"P-T8", {1.64, 12.98}},
    {"P-G1", {0, 23.07}},       {"P-G2", {0, 46.14}},      {"P-G3", {0, 8.65}},
    {"P-G4", {0, 2.88}},        {"P-G5", {0, 6.29}},       {"P-B1", {0, 411.04}},
    {"P-B2", {0, 102.76}},      {"P-B3", {0, 51.38}},      {"P-A1", {12.70, 23.94}},
    {"P-A2", {1.44, 9.95}},     {"P-A3", {0.20, 4.62}},    {"P-A4", {3.46, 6.53}},
    {"P-M1", {24.36, 34.96}},   {"P-M2", {4.57, 13.25}},   {"P-M3", {12.92, 88.30}},
    {"P-M4", {6.46, 86.09}},
};

TEST_CASE("op cases: every published case is in the table, with its published cost", "[kernels]") {
  std::set<std::string> found;
  for (const OpCase& c : op_cases()) {
    const std::string name = c.name, id = name.substr(0, name.find(' '));
    if (!id.starts_with("P-")) continue;
    REQUIRE(kPublished.count(id) == 1);
    found.insert(id);
    INFO(name);
    CHECK(c.set == CaseSet::kPublic);
    const bool both = std::holds_alternative<BatchNormCase>(c.shape);
    const OpRoofline roofline =
        roofline_of(c, both ? CasePass::kBoth : CasePass::kForward, DType::kBF16);
    const auto [gflop, mb] = kPublished.at(id);
    CHECK(std::abs(roofline.flops * 1e-9 - gflop) < 0.006);
    CHECK(std::abs(roofline.bytes * 1e-6 - mb) < 0.015);
  }
  CHECK(found.size() == kPublished.size());
}

TEST_CASE("op cases: names are unique and every pass costs something", "[kernels]") {
  std::set<std::string> names;
  for (const OpCase& c : op_cases()) {
    INFO(c.op << ": " << c.name);
    CHECK(names.insert(c.op + c.name).second);
    REQUIRE(!passes_of(c).empty());
    for (const CasePass pass : passes_of(c)) {
      const OpRoofline f32 = roofline_of(c, pass, DType::kF32),
                       bf16 = roofline_of(c, pass, DType::kBF16);
      CHECK(f32.bytes > 0);
      CHECK(f32.bytes >= bf16.bytes);
      CHECK(f32.flops == bf16.flops);
    }
  }
}

}  // namespace
}  // namespace ebb
