#pragma once

// One include for Catch2 2 (Debian 12) and 3.
#ifdef EBB_CATCH2_V3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
