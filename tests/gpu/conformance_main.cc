// simt_conformance: whether a GPU does with the primitives of kernels/simt/simt.h what the emulator
// does.
//   simt_conformance --write GOLDEN              keeps what the cases leave on the emulator
//   simt_conformance --golden GOLDEN [--json F]  runs them on --device and compares
// Exit code 1 when one differs, 5 when there is no GPU. The JSON file is written before and after
// each case: one that hangs is found in it as "running".

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/cli.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "tests/emulator/conformance.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

struct Flags {
  std::string device = "cuda", write, golden, json, group;
};

std::vector<ConformanceCase> cases_of(const Flags& flags) {
  std::vector<ConformanceCase> all;
#if EBB_TEST_EMULATOR
  if (flags.device == "emu") all = emu_conformance_cases();
#endif
#if EBB_TEST_CUDA
  if (flags.device == "cuda") {
    const std::string why = why_no_conformance_gpu();
    EBB_CHECK(why.empty(), DeviceError, "--device cuda: ", why,
              ". The primitives of a GPU cannot be looked at without one");
    all = cuda_conformance_cases();
  }
#endif
  EBB_CHECK(!all.empty(), DeviceError, "--device ", flags.device, ": not in this build");
  std::erase_if(all, [&](const auto& c) { return !flags.group.empty() && c.group != flags.group; });
  EBB_CHECK(!all.empty(), UsageError, "--group ", flags.group,
            ": must be one of threads, copies, tensor cores, tma, wgmma");
  return all;
}

std::string key_of(const ConformanceCase& c) { return c.group + ": " + c.name; }

void write_golden(const Flags& flags) {
  std::vector<std::vector<uint8_t>> results;
  std::vector<TensorToSave> tensors;
  const std::vector<ConformanceCase> all = cases_of(flags);
  results.reserve(all.size());
  for (const ConformanceCase& c : all) {
    results.push_back(c.run());
    tensors.push_back({key_of(c), StDType::kU8, {results.back().size()}, results.back().data()});
  }
  save_safetensors(flags.write, std::move(tensors), {{"format", "simt conformance"}});
  std::cout << all.size() << " cases of the emulator written to " << flags.write << "\n";
}

// "" when equal.
std::string difference(const std::vector<uint8_t>& got, const std::vector<uint8_t>& expected) {
  if (got.size() != expected.size()) {
    return cat(got.size(), " bytes, expected ", expected.size());
  }
  const auto [at, wanted] = std::mismatch(got.begin(), got.end(), expected.begin());
  if (at == got.end()) return "";
  int64_t count = 0;
  for (size_t i = 0; i < got.size(); ++i) count += got[i] != expected[i];
  return cat(count, " of ", got.size(), " bytes differ, the first at ", at - got.begin(), ": ",
             int{*at}, ", expected ", int{*wanted});
}

class Report {
 public:
  explicit Report(const Flags& flags) : path_(flags.json) {
    all_ = {{"program", "simt_conformance"}, {"device", flags.device}, {"cases", {}}};
  }
  void set(const std::string& name, const std::string& status, const std::string& detail) {
    auto& entry = all_["cases"][name];
    entry = {{"status", status}};
    if (!detail.empty()) entry["detail"] = detail;
    if (path_.empty()) return;
    write_file(path_, all_.dump(1) + "\n");
  }

 private:
  std::string path_;
  nlohmann::ordered_json all_;
};

int64_t compare(const Flags& flags) {
  const std::vector<ConformanceCase> all = cases_of(flags);  // which opens the GPU first
  const SafetensorsFile golden = SafetensorsFile::open(flags.golden);
  Report report(flags);
  int64_t equal = 0, skipped = 0, different = 0;
#if EBB_TEST_CUDA
  const bool hopper = flags.device == "emu" || conformance_capability() == 90;
#else
  constexpr bool hopper = true;
#endif
  for (const ConformanceCase& c : all) {
    const std::string key = key_of(c);
    if (c.needs_hopper && !hopper) {
      report.set(key, "skipped", "needs compute capability 9.0");
      ++skipped;
      continue;
    }
    report.set(key, "running", "");
    const TensorEntry* entry = golden.find(key);
    EBB_CHECK(entry != nullptr, FormatError, flags.golden, ": no case '", key,
              "'. Write it again with the simt_conformance of this build");
    std::vector<uint8_t> expected(entry->bytes());
    golden.read(*entry, expected.data());
    const std::string detail = difference(c.run(), expected);
    report.set(key, detail.empty() ? "equal" : "different", detail);
    ++(detail.empty() ? equal : different);
    if (!detail.empty()) std::cout << "different: " << key << ": " << detail << "\n";
  }
  std::cout << equal << " equal, " << different << " different, " << skipped << " skipped\n";
  return different;
}

void run(const Flags& flags) {
  EBB_CHECK(flags.write.empty() != flags.golden.empty(), UsageError,
            "simt_conformance: give either --write or --golden");
  if (!flags.write.empty()) return write_golden(flags);
  if (compare(flags) > 0) throw ExitWith{1};
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Compares the primitives of the CUDA kernels on a GPU with the emulator.",
                       "simt_conformance");
  ebb::Flags flags;
  ebb::add_choice(program, "--device", flags.device, {"cuda", "emu"}, "what runs the cases");
  program.add_option("--write", flags.write, "write the results to this file");
  program.add_option("--golden", flags.golden, "compare the results with this file");
  program.add_option("--json", flags.json, "write the prediction of every case to this file");
  program.add_option("--group", flags.group, "run one group of cases alone");
  program.callback([&] { ebb::run(flags); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
