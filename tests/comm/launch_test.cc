#include "engine/comm/launch.h"

#include <cstdlib>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

// As the launchers set them, recorded from their runs and manuals; what says nothing of places is
// left out.
const Environment kOpenMpi4 = {
    {"OMPI_COMM_WORLD_RANK", "2"},       {"OMPI_COMM_WORLD_SIZE", "3"},
    {"OMPI_COMM_WORLD_LOCAL_RANK", "2"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "3"},
    {"OMPI_UNIVERSE_SIZE", "3"},         {"PMIX_RANK", "2"}};
const Environment kHydra = {
    {"PMI_RANK", "5"}, {"PMI_SIZE", "8"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "4"}};
const Environment kTorchrun = {{"TORCHELASTIC_RUN_ID", "none"},
                               {"RANK", "3"},
                               {"WORLD_SIZE", "4"},
                               {"LOCAL_RANK", "1"},
                               {"LOCAL_WORLD_SIZE", "2"},
                               {"GROUP_RANK", "1"},
                               {"MASTER_ADDR", "10.0.0.7"},
                               {"MASTER_PORT", "29500"}};
const Environment kKubernetes = {{"RANK", "1"},
                                 {"WORLD_SIZE", "2"},
                                 {"MASTER_ADDR", "train-master-0"},
                                 {"MASTER_PORT", "23456"}};
const Environment kSrun = {{"SLURM_JOB_ID", "1234567"},
                           {"SLURM_NTASKS", "11"},
                           {"SLURM_PROCID", "9"},
                           {"SLURM_STEP_NUM_TASKS", "11"},
                           {"SLURM_LOCALID", "1"},
                           {"SLURM_NODEID", "2"},
                           {"SLURM_STEP_TASKS_PER_NODE", "4(x2),3"},
                           {"SLURM_STEP_NODELIST", "gpu[07-08,11]"}};
const Environment kBatchScript = {{"SLURM_JOB_ID", "1234567"}, {"SLURM_NTASKS", "11"},
                                  {"SLURM_PROCID", "0"},       {"SLURM_LOCALID", "0"},
                                  {"SLURM_NODEID", "0"},       {"SLURM_TASKS_PER_NODE", "4(x2),3"}};

Environment with(Environment variables, const Environment& others) {
  for (const auto& [name, value] : others) variables[name] = value;
  return variables;
}

Environment without(Environment variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

std::string error_of(const Environment& variables) {
  return test::message_of<UsageError>([&] { read_launch(variables); });
}

TEST_CASE("a process that nothing launched is the only one", "[launch]") {
  CHECK(read_launch({}) == Launch{});
  CHECK(read_launch({{"HOME", "anything"}, {"MASTER_ADDR", "a"}}) == Launch{});
}

TEST_CASE("every launcher tells rank, ranks and the place on the machine", "[launch]") {
  CHECK(read_launch(kOpenMpi4) == Launch{2, 3, 2, 3, "mpirun", ""});
  CHECK(read_launch(with(kOpenMpi4, {{"PRTE_LAUNCHED", "1"}, {"PMIX_VERSION", "5.0.1"}})) ==
        Launch{2, 3, 2, 3, "mpirun", ""});  // Open MPI 5
  CHECK(read_launch(kHydra) == Launch{5, 8, 1, 4, "mpirun", ""});
  CHECK(read_launch(kTorchrun) == Launch{3, 4, 1, 2, "torchrun", "10.0.0.7:29501"});
  CHECK(read_launch(kKubernetes) == Launch{1, 2, 0, 1, "env", "train-master-0:23456"});
  CHECK(read_launch(kSrun) == Launch{9, 11, 1, 3, "srun", "gpu07:19567"});
}

TEST_CASE("a batch script of Slurm is one process, not a task of many", "[launch]") {
  CHECK(read_launch(kBatchScript) == Launch{});
}

TEST_CASE("the innermost launcher counts", "[launch]") {
  CHECK(read_launch(with(kBatchScript, kOpenMpi4)).ranks == 3);
  CHECK(read_launch(with(kSrun, kTorchrun)) == Launch{3, 4, 1, 2, "torchrun", "10.0.0.7:29501"});
  CHECK(read_launch(with(kSrun, kKubernetes)).ranks == 2);
  CHECK(read_launch(with(kKubernetes, kOpenMpi4)).launcher == "mpirun");
  CHECK(read_launch(with(kSrun, kHydra)).ranks == 8);
}

TEST_CASE("empty variables count as unset", "[launch]") {
  CHECK(read_launch({{"RANK", ""}, {"WORLD_SIZE", ""}}) == Launch{});
}

TEST_CASE("machines of a Slurm step have their own numbers of tasks", "[launch]") {
  const auto tasks = [](const std::string& machine, const std::string& counts) {
    return read_launch(
        with(kSrun, {{"SLURM_NODEID", machine}, {"SLURM_STEP_TASKS_PER_NODE", counts}}));
  };
  CHECK(tasks("0", "4(x2),3").local_ranks == 4);
  CHECK(tasks("1", "4(x2),3").local_ranks == 4);
  CHECK(tasks("1", "3,5,3").local_ranks == 5);
  CHECK(tasks("4", "2(x12)").local_ranks == 2);
  for (const char* counts : {"4(x2)", "4(x2),", "four", "4x2", "4(x2", "4(x)", "4(y3)"}) {
    INFO(counts);
    CHECK(error_of(with(kSrun, {{"SLURM_STEP_TASKS_PER_NODE", counts}})) ==
          "SLURM_STEP_TASKS_PER_NODE " + std::string(counts) +
              ": expected the tasks of machine 2, as in 4(x2),3. Unset what is left from another "
              "program, or give --launcher none");
  }
}

TEST_CASE("rank 0 is found by its host and port", "[launch]") {
  const auto address = [](const Environment& more) {
    return read_launch(with(kSrun, more)).address;
  };
  CHECK(address({{"SLURM_STEP_NODELIST", "a[1,3-4]b[05-06],c"}}) == "a1b05:19567");
  CHECK(address({{"SLURM_STEP_NODELIST", "login"}}) == "login:19567");
  CHECK(address({{"SLURM_STEP_NODELIST", "a[12"}}) == "a12:19567");
  CHECK(address({{"SLURM_STEP_NODELIST", "["}}) == "");
  CHECK(address({{"SLURM_JOB_ID", "42"}}) == "gpu07:15042");
  CHECK(address({{"MASTER_PORT", "1000"}}) == "gpu07:1000");
  CHECK(address({{"MASTER_PORT", "1000"}, {"EBB_COMM_PORT", "2000"}}) == "gpu07:2000");
  CHECK(address({{"MASTER_ADDR", "fe80::1"}}) == "[fe80::1]:19567");
  CHECK(read_launch(with(kTorchrun, {{"EBB_COMM_PORT", "7"}})).address == "10.0.0.7:7");
  CHECK(error_of(with(kKubernetes, {{"EBB_COMM_PORT", "65536"}})).find("must be 1..65535") !=
        std::string::npos);
}

TEST_CASE("variables that contradict each other are named", "[launch]") {
  const std::string advice = " Unset what is left from another program, or give --launcher none";
  CHECK(error_of({{"RANK", "4"}, {"WORLD_SIZE", "4"}}) ==
        "RANK 4, WORLD_SIZE 4: a rank is below the number of ranks." + advice);
  CHECK(error_of({{"RANK", "0"}, {"WORLD_SIZE", "0"}}) ==
        "RANK 0, WORLD_SIZE 0: a rank is below the number of ranks." + advice);
  CHECK(error_of({{"WORLD_SIZE", "4"}}) == "WORLD_SIZE is 4, but RANK is not set." + advice);
  CHECK(error_of({{"RANK", "1"}}) == "RANK is 1, but WORLD_SIZE is not set." + advice);
  CHECK(error_of(without(kTorchrun, "RANK")) ==
        "TORCHELASTIC_RUN_ID is none, but RANK is not set." + advice);
  CHECK(error_of(without(kOpenMpi4, "OMPI_COMM_WORLD_RANK")) ==
        "OMPI_COMM_WORLD_SIZE is 3, but OMPI_COMM_WORLD_RANK is not set." + advice);
  for (const char* value : {"two", "-1", "1.0", " 1", "1 ", "99999999999", "0x1"}) {
    CHECK(error_of({{"RANK", value}, {"WORLD_SIZE", "2"}}) ==
          "RANK " + std::string(value) + ": must be a number from 0 to 1048576." + advice);
  }
  CHECK(error_of(with(kHydra, {{"MPI_LOCALRANKID", "4"}})) ==
        "MPI_LOCALRANKID 4, MPI_LOCALNRANKS 4: a rank is below the number of ranks." + advice);
  CHECK(error_of(with(kHydra, {{"MPI_LOCALNRANKS", "9"}})) ==
        "MPI_LOCALNRANKS 9, PMI_SIZE 8: more ranks on one machine than in all." + advice);
}

TEST_CASE("the environment of the process is read", "[launch]") {
  REQUIRE(setenv("EBB_LAUNCH_TEST", "a=b", 1) == 0);
  const Environment variables = process_environment();
  CHECK(variables.at("EBB_LAUNCH_TEST") == "a=b");
  REQUIRE(unsetenv("EBB_LAUNCH_TEST") == 0);
  CHECK(process_environment().count("EBB_LAUNCH_TEST") == 0);
}

}  // namespace
}  // namespace ebb
