#pragma once

// The declarations that libebb exports; everything else in it is hidden.
#define EBB_API __attribute__((visibility("default")))
#define EBB_LOCAL __attribute__((visibility("hidden")))
