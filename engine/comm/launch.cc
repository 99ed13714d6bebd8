#include "engine/comm/launch.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr int kMaxRanks = 1 << 20;
constexpr const char* kAdvice = " Unset what is left from another program, or give --launcher none";

// The variables of a launcher. Those of the place on a machine may be missing.
struct Names {
  const char* launcher;
  const char* mark;        // set by this launcher
  const char* other_mark;  // as well; nullptr: one is enough
  const char* rank;
  const char* ranks;
  const char* local_rank;
  const char* local_ranks;  // nullptr: SLURM_STEP_TASKS_PER_NODE tells
};

// The first that fits is the innermost.
constexpr std::array<Names, 6> kLaunchers = {{
    {"torchrun", "TORCHELASTIC_RUN_ID", nullptr, "RANK", "WORLD_SIZE", "LOCAL_RANK",
     "LOCAL_WORLD_SIZE"},
    // Open MPI 4 and 5.
    {"mpirun", "OMPI_COMM_WORLD_SIZE", nullptr, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    // MPICH, Intel MPI and MVAPICH, which share the launcher Hydra.
    {"mpirun", "PMI_SIZE", nullptr, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
    // Operators of Kubernetes, and by hand.
    {"env", "WORLD_SIZE", nullptr, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"env", "RANK", nullptr, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS",
     "SLURM_LOCALID", nullptr},
}};

class Variables {
 public:
  explicit Variables(const Environment& variables) : variables_(variables) {}

  // Null where it is not set, or empty.
  const std::string* find(const char* name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() || found->second.empty() ? nullptr : &found->second;
  }

  std::string text(const char* name) const {
    const std::string* value = find(name);
    return value == nullptr ? "" : *value;
  }

  std::optional<int> number(const char* name) const {
    const std::string* value = find(name);
    if (value == nullptr) return std::nullopt;
    int result = -1;
    const char* end = value->data() + value->size();
    const auto [rest, error] = std::from_chars(value->data(), end, result);
    EBB_CHECK(error == std::errc() && rest == end && result >= 0 && result <= kMaxRanks, UsageError,
              name, " ", terminal_safe(*value), ": must be a number from 0 to ", kMaxRanks, ".",
              kAdvice);
    return result;
  }

  // `beside` is set, so `name` has to be.
  int required(const char* name, const char* beside) const {
    const std::optional<int> value = number(name);
    EBB_CHECK(value.has_value(), UsageError, beside, " is ", terminal_safe(text(beside)), ", but ",
              name, " is not set.", kAdvice);
    return *value;
  }

 private:
  const Environment& variables_;
};

const Names* find_launcher(const Variables& variables) {
  for (const Names& names : kLaunchers) {
    const bool fits = variables.find(names.mark) != nullptr &&
                      (names.other_mark == nullptr || variables.find(names.other_mark) != nullptr);
    if (fits) return &names;
  }
  return nullptr;
}

void check_place(const char* rank_name, int rank, const char* ranks_name, int ranks) {
  EBB_CHECK(rank < ranks, UsageError, rank_name, " ", rank, ", ", ranks_name, " ", ranks,
            ": a rank is below the number of ranks.", kAdvice);
}

// "4(x2),3" -> 3 for machine 2; nullopt where the text is none of that kind.
std::optional<int> tasks_on_machine(std::string_view counts, int machine) {
  for (int first = 0; !counts.empty();) {
    const std::string_view word = counts.substr(0, counts.find(','));
    int tasks = 0, machines = 1;
    const char* end = word.data() + word.size();
    auto [rest, error] = std::from_chars(word.data(), end, tasks);
    if (error != std::errc()) return std::nullopt;
    if (rest != end) {
      if (end - rest < 4 || std::string_view(rest, 2) != "(x") return std::nullopt;
      const auto times = std::from_chars(rest + 2, end, machines);
      if (times.ec != std::errc() || std::string_view(times.ptr, end) != ")") return std::nullopt;
    }
    if (machine < first + machines) return tasks;
    first += machines;
    counts.remove_prefix(std::min(counts.size(), word.size() + 1));
  }
  return std::nullopt;
}

int slurm_local_ranks(const Variables& variables) {
  constexpr const char* kCounts = "SLURM_STEP_TASKS_PER_NODE";
  const std::string counts = variables.text(kCounts);
  if (counts.empty()) return 1;
  const int machine = variables.number("SLURM_NODEID").value_or(0);
  const std::optional<int> tasks = tasks_on_machine(counts, machine);
  EBB_CHECK(tasks.has_value(), UsageError, kCounts, " ", terminal_safe(counts),
            ": expected the tasks of machine ", machine, ", as in 4(x2),3.", kAdvice);
  return *tasks;
}

// "gpu[01-04,7],cpu2" -> "gpu01".
std::string first_host(std::string_view list) {
  std::string host;
  while (!list.empty() && list.front() != ',') {
    if (list.front() != '[') {
      host += list.front();
      list.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(list.find(']'), list.size() - 1);
    host += list.substr(1, std::min(list.find_first_of("-,]"), list.size()) - 1);
    list.remove_prefix(end + 1);
  }
  return host;
}

// Slurm tells no port: jobs of one machine get different ones.
int slurm_port(std::string_view job) {
  constexpr int kFirstPort = 15'000;
  constexpr size_t kDigits = 4;
  int number = 0;
  const std::string_view last = job.substr(job.size() - std::min(kDigits, job.size()));
  std::from_chars(last.data(), last.data() + last.size(), number);
  return kFirstPort + number;
}

std::optional<int> port_of(const Variables& variables, const Names& names) {
  if (const auto port = variables.number("EBB_COMM_PORT")) return port;
  if (const auto port = variables.number("MASTER_PORT")) {
    const bool is_taken = std::string_view(names.launcher) == "torchrun";  // by torchrun's store
    return *port + (is_taken ? 1 : 0);
  }
  const std::string* job = variables.find("SLURM_JOB_ID");
  if (job == nullptr) return std::nullopt;
  return slurm_port(*job);
}

std::string address_of(const Variables& variables, const Names& names) {
  std::string host = variables.text("MASTER_ADDR");
  if (host.empty()) host = first_host(variables.text("SLURM_STEP_NODELIST"));
  const std::optional<int> port = port_of(variables, names);
  constexpr int kLastPort = 65'535;
  EBB_CHECK(!port || (*port >= 1 && *port <= kLastPort), UsageError, "port ", *port,
            " of EBB_COMM_PORT or MASTER_PORT: must be 1..", kLastPort, ".", kAdvice);
  if (host.empty() || !port) return "";
  const bool is_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return is_ipv6 ? cat("[", host, "]:", *port) : cat(host, ":", *port);
}

}  // namespace

Environment process_environment() {
  Environment variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

Launch read_launch(const Environment& environment) {
  const Variables variables(environment);
  const Names* names = find_launcher(variables);
  if (names == nullptr) return {};
  Launch launch{.launcher = names->launcher, .address = {}};
  launch.rank = variables.required(names->rank, names->mark);
  launch.ranks = variables.required(names->ranks, names->mark);
  check_place(names->rank, launch.rank, names->ranks, launch.ranks);
  launch.local_rank = variables.number(names->local_rank).value_or(0);
  const char* local_ranks = "SLURM_STEP_TASKS_PER_NODE";
  if (names->local_ranks == nullptr) {
    launch.local_ranks = slurm_local_ranks(variables);
  } else {
    local_ranks = names->local_ranks;
    launch.local_ranks = variables.number(local_ranks).value_or(launch.local_rank + 1);
  }
  check_place(names->local_rank, launch.local_rank, local_ranks, launch.local_ranks);
  EBB_CHECK(launch.local_ranks <= launch.ranks, UsageError, local_ranks, " ", launch.local_ranks,
            ", ", names->ranks, " ", launch.ranks, ": more ranks on one machine than in all.",
            kAdvice);
  launch.address = address_of(variables, *names);
  return launch;
}

}  // namespace ebb
