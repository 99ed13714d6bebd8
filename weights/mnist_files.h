#pragma once

#include <string>

namespace ebb {

// The files of one data set of MNIST's form, wherever they lie below a directory.
struct MnistFiles {
  std::string directory;
  std::string part;  // of EMNIST: "emnist-letters"; empty for the others

  // "train-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte".
  std::string name(bool train, bool images) const;
  // The file's path; empty when it is not there.
  std::string path(bool train, bool images) const;
};

// The data set that `data` means (see load_mnist()). IoError when there is none; UsageError when
// there are several.
MnistFiles find_mnist_files(const std::string& data);

// "data/mnist: found no ..., what to do", for a data set that is there in part.
std::string missing_file_message(const std::string& data, const MnistFiles& files, bool train,
                                 bool images);

}  // namespace ebb
