#pragma once

#include "apps/cli/command.h"

namespace ebb {

// ebb eval MODEL: how good a trained model is. docs/evaluation.md explains the figures.
void add_eval_command(Command program);

}  // namespace ebb
