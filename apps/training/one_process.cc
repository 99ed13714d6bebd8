#include "apps/training/one_process.h"

#include "base/error.h"

namespace ebb {

void require_one_process(const Launch& launch) {
  if (launch.ranks == 1) return;
  const bool by_hand = launch.launcher == "env";
  EBB_CHECK(false, UsageError, by_hand ? "RANK and WORLD_SIZE" : launch.launcher,
            ": this is one of ", launch.ranks,
            " processes, and training runs in one process today. ",
            by_hand ? "Unset both variables." : "Start one process.");
}

}  // namespace ebb
