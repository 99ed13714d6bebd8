#include "bench/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.h"

extern char** environ;

namespace ebb {
namespace {

double milliseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) * 1e-3;
}

// Starts `command` with the write end of a pipe as its stdout; returns the read end.
int start(const std::string& command, pid_t& pid) {
  std::array<int, 2> ends{};
  EBB_CHECK(pipe2(ends.data(), O_CLOEXEC) == 0, IoError, "'", command,
            "': no pipe: ", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string shell = "sh", flag = "-c", line = command;
  const std::array<char*, 4> arguments{shell.data(), flag.data(), line.data(), nullptr};
  const int error = posix_spawn(&pid, "/bin/sh", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) close(ends[0]);
  EBB_CHECK(error == 0, IoError, "'", command, "': cannot be started: ", std::strerror(error));
  return ends[0];
}

void read_lines(int from, const std::function<void(const std::string&)>& on_line) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(fdopen(from, "r"), &std::fclose);
  EBB_CHECK(stream != nullptr, IoError, "a pipe cannot be read: ", std::strerror(errno));
  std::string line;
  for (int c = 0; (c = std::fgetc(stream.get())) != EOF;) {
    if (c != '\n') {
      line.push_back(static_cast<char>(c));
      continue;
    }
    on_line(line);
    line.clear();
  }
  if (!line.empty()) on_line(line);
}

}  // namespace

ProcessCost cost_per_unit(const ProcessCost& less, const ProcessCost& more, int64_t count) {
  const auto per_unit = [&](double ProcessCost::*value) {
    return (more.*value - less.*value) / static_cast<double>(count);
  };
  return {.wall_ms = per_unit(&ProcessCost::wall_ms),
          .user_ms = per_unit(&ProcessCost::user_ms),
          .system_ms = per_unit(&ProcessCost::system_ms),
          .waits = per_unit(&ProcessCost::waits),
          .preemptions = per_unit(&ProcessCost::preemptions),
          .page_faults = per_unit(&ProcessCost::page_faults)};
}

ProcessCost run_process(const std::string& command,
                        const std::function<void(const std::string&)>& on_line) {
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = 0;
  read_lines(start(command, pid), on_line);
  ProcessCost cost;
  rusage usage{};
  while (wait4(pid, &cost.status, 0, &usage) < 0 && errno == EINTR) {
  }
  cost.wall_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  cost.user_ms = milliseconds(usage.ru_utime);
  cost.system_ms = milliseconds(usage.ru_stime);
  cost.waits = static_cast<double>(usage.ru_nvcsw);
  cost.preemptions = static_cast<double>(usage.ru_nivcsw);
  cost.page_faults = static_cast<double>(usage.ru_minflt);
  return cost;
}

}  // namespace ebb
