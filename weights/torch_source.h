#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/digest.h"
#include "weights/in_order_reader.h"
#include "weights/torch_file.h"
#include "weights/weight_source.h"

namespace ebb {

// One file of torch.save(). Bytes are hashed, and compared with the archive's CRC-32, as they are
// read; views with strides are copied in logical order through one buffer.
class TorchSource final : public WeightSource {
 public:
  TorchSource(FileReader file, const LoadLimits& limits);

  const std::string& path() const override { return file_.path(); }
  const std::string& label() const override { return file_.label(); }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  std::vector<std::string> warnings() const override { return content_.warnings; }
  // The key of the file's dict that holds the tensors; empty for the dict itself.
  const std::string& container() const { return content_.container; }

  NonFinite stream(std::string_view name, const Sink& sink) override;
  std::string finish() override;

 private:
  NonFinite stream_contiguous(const TorchTensor& tensor, const Sink& sink);
  NonFinite stream_strided(const TorchTensor& tensor, const Sink& sink);
  void read_at(uint64_t offset, std::byte* dst, uint64_t bytes);
  void observe(const std::byte* data, uint64_t bytes);

  FileReader file_;
  TorchFile content_;
  std::map<std::string, std::string> metadata_;  // the format has none
  std::vector<TensorInfo> tensors_;
  std::map<std::string_view, size_t> by_name_;  // index of a tensor
  InOrderReader reader_{0};
  Sha256 sha_;
  uint64_t observed_ = 0;  // bytes of the file
  size_t checksum_ = 0;    // the member that the next byte is in, or comes before
  unsigned long crc_ = 0;  // of its bytes so far
};

}  // namespace ebb
