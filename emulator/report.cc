#include "emulator/report.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdio>
#include <vector>

#include "emulator/engine.h"

namespace ebb::simt::engine {
namespace {

// Lines that a command prints.
std::vector<std::string> lines_of(const std::string& command) {
  std::vector<std::string> lines;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return lines;
  char buffer[4096];
  while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) {
    std::string line = buffer;
    while (!line.empty() && line.back() == '\n') line.pop_back();
    lines.push_back(line);
  }
  pclose(pipe);
  return lines;
}

// Headers that give kernels their vocabulary: not where a mistake is made.
bool is_vocabulary(const std::string& file) {
  for (const char* part :
       {"/simt/host.h:", "/simt/hopper_host.h:", ".hpp:", "/c++/", "/include/"}) {
    if (file.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string code_position(const void* return_address) {
  if (return_address == nullptr) return to_string(engine().self().site);
  Dl_info info;
  link_map* map = nullptr;
  const bool found =
      dladdr1(return_address, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0;
  if (!found) return "an unknown place";
  char offset[32];
  // The call ends at the return address, so one byte less is inside it.
  std::snprintf(offset, sizeof(offset), "0x%zx",
                static_cast<size_t>(static_cast<const char*>(return_address) - 1 -
                                    reinterpret_cast<const char*>(map->l_addr)));
  std::string best;
  for (const std::string& line :
       lines_of(cat("addr2line -i -e '", info.dli_fname, "' ", offset, " 2>/dev/null"))) {
    if (line.find(':') == std::string::npos || line.compare(0, 2, "??") == 0) continue;
    if (best.empty() || !is_vocabulary(line)) best = line;
    if (!is_vocabulary(line)) break;
  }
  if (const size_t note = best.find(" (discriminator"); note != std::string::npos)
    best.resize(note);
  return best.empty() ? cat(info.dli_fname, " + ", offset) : best;
}

}  // namespace ebb::simt::engine
