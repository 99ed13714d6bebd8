#include "apps/ebb/commands.h"

int main(int argc, char** argv) { return ebb::run_ebb({argv, argv + argc}); }
