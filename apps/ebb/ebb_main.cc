#include "apps/ebb/ebb_app.h"

int main(int argc, char** argv) { return ebb::run_ebb({argv, argv + argc}); }
