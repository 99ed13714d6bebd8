#pragma once

#include <ostream>
#include <string>

#include "base/json.h"
#include "weights/file_kind.h"
#include "weights/safetensors_header.h"

namespace ebb {

// The report of `ebb inspect` on one file, as the object that --json prints.
using InspectReport = Json;

// kind, bytes, sha256, digest ("verified" or "none"), metadata, tensors[name, dtype, shape, bytes,
// sha256, nan, infinite].
InspectReport inspect_safetensors(const std::string& path, const LoadLimits& limits);

// kind, bytes, sha256, gzip, idx_sha256 (uncompressed), count, rows, cols, labels (the file checked
// against, or null). labels_path: the labels of these images, or empty.
InspectReport inspect_idx_images(const std::string& path, const std::string& labels_path);

// kind, bytes, sha256, gzip, idx_sha256 (uncompressed), count, histogram[10], or as many as the
// largest label needs.
InspectReport inspect_idx_labels(const std::string& path);

// kind, bytes, sha256, text (size, kind and text chunks of the image). Decodes the whole image, of
// any kind, from a file or a stream. `promised`: what it should be when its contents do not say.
InspectReport inspect_image(const std::string& path, FileKind promised);

// The label file that belongs to an image file by MNIST's naming and exists beside it
// ("train-images-idx3-ubyte.gz" -> "train-labels-idx1-ubyte.gz", or the same without .gz); empty
// when there is none.
std::string find_labels_beside(const std::string& images_path);

// Parts of a report for people: the file, what it is, its size and hash; the list of tensors.
void print_heading(std::ostream& out, const InspectReport& report, const std::string& what);
void print_tensors(std::ostream& out, const InspectReport& tensors);

// The same report for people.
void print_report(std::ostream& out, const InspectReport& report);

}  // namespace ebb
