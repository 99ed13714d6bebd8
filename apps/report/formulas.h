#pragma once

#include <string>

namespace ebb::formula {

// The page's formulas, each on a line of its own.
std::string forward();
std::string one_step();
std::string iterative();
std::string guidance();
std::string inpainting();
std::string anagram();
std::string hybrid();
std::string denoiser_loss();
std::string noise_loss();
std::string flow();

}  // namespace ebb::formula
