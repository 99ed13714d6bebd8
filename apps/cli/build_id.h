#pragma once

#include <string>

namespace ebb {

// The commit that this program was built from: "575dc31", "575dc31+" with changes that are not
// committed, "" outside a checkout. The version alone does not settle the bits of an image.
const char* build_commit();
const char* build_date();  // of that commit, "2026-11-26"; ""

// The text of `--version` for `program` ("ebb"): name and version on the first line, for programs,
// then build, processor and libraries.
std::string version_text(const std::string& program);

}  // namespace ebb
