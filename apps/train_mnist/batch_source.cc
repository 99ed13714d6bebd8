#include "apps/train_mnist/batch_source.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "diffusion/schedule.h"
#include "kernels/kernel_table.h"
#include "kernels/optimizer/fixed_share.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

DiffusionTask task_of(const TrainConfig& config) {
  switch (config.objective.type) {
    case ObjectiveType::kDdpm:
      return DiffusionTask::kDdpm;
    case ObjectiveType::kFlow:
      return DiffusionTask::kFlow;
    case ObjectiveType::kDenoise:
      return DiffusionTask::kDenoise;
    case ObjectiveType::kPureNoise:
      return DiffusionTask::kPureNoise;
    case ObjectiveType::kClassify:  // no noise: digit_batch()
    case ObjectiveType::kConsistency:
      break;
  }
  throw Error("batch_source: unknown objective");
}

}  // namespace

BatchSource::BatchSource(Context& context, const MnistDataset& data, const TrainConfig& config)
    : context_(context),
      config_(config),
      network_(make_network(config)),
      order_(data.count, config.batch_size, config.seed),
      images_(Tensor::from_host(context, {data.count, MnistDataset::kPixels},
                                std::span<const uint8_t>(data.images))),
      labels_(Tensor::from_host(context, {data.count}, std::span<const uint8_t>(data.labels))) {
  if (config.objective.type == ObjectiveType::kDdpm) {
    const std::vector<double> table = ddpm_schedule(config.objective).alpha_bar;
    const std::vector<float> narrowed(table.begin(), table.end());
    alpha_bar_ =
        Tensor::from_host(context, {config.objective.timesteps}, std::span<const float>(narrowed));
  }
}

BatchOrder::Slice BatchSource::slice(int64_t step) const {
  return order_.slice(config_.overfit_batch ? 0 : step);
}

Batch BatchSource::empty_batch(int64_t images) const {
  Batch batch;
  batch.images = images;
  const Shape image{images, 28, 28, 1};
  const bool is_classifier = config_.model == TrainModel::kClassifier;
  for (const NetworkInput& input : network_.inputs) {
    batch.inputs[input.name] = Tensor::empty(context_, with_batch(images, input.shape));
  }
  batch.target = Tensor::empty(context_, is_classifier ? Shape{images, config_.classes} : image);
  batch.indices = Tensor::empty(context_, {images}, DType::kI32);
  batch.first_example = Tensor::empty(context_, {sizeof(uint64_t)}, DType::kU8);
  return batch;
}

// The data of the network's input with this role; null if the network has none.
float* BatchSource::input(const Batch& batch, InputRole role) const {
  const NetworkInput* found = network_.input(role);
  return found == nullptr ? nullptr : batch.inputs.at(found->name).data<float>();
}

// Examples are numbered by step, not by epoch position, so that a repeated batch gets new noise.
void BatchSource::upload_indices(const BatchOrder::Slice& rows, uint64_t first_example,
                                 const Batch& batch) {
  Stream& stream = *context_.stream();
  stream.copy_to_device(batch.indices.raw(), order_.rows(rows).data(), batch.indices.bytes());
  stream.copy_to_device(batch.first_example.raw(), &first_example, sizeof first_example);
}

Batch BatchSource::batch(int64_t step) {
  const BatchOrder::Slice rows = slice(step);
  const Batch batch = empty_batch(rows.count);
  upload_indices(rows, order_.first_example(step), batch);
  make_batch(batch);
  return batch;
}

const Batch& BatchSource::stage_batch(int64_t step) {
  return stage(slice(step), order_.first_example(step));
}

int64_t BatchSource::parts(int64_t step) const {
  const int64_t size = config_.micro_batch_size;
  return size == 0 ? 1 : (images(step) + size - 1) / size;
}

const Batch& BatchSource::stage_part(int64_t step, int64_t part) {
  BatchOrder::Slice rows = slice(step);
  const int64_t first = part * config_.micro_batch_size;
  EBB_CHECK(0 <= part && part < parts(step), Error, "batch_source: part ", part, " of ",
            parts(step));
  if (config_.micro_batch_size > 0) {
    rows.first += first;
    rows.count = std::min(config_.micro_batch_size, rows.count - first);
  }
  return stage(rows, order_.first_example(step) + static_cast<uint64_t>(first));
}

FixedShare BatchSource::share(int64_t step, const Batch& part) const {
  return fixed_share(part.images, images(step), parts(step));
}

const Batch& BatchSource::stage(const BatchOrder::Slice& rows, uint64_t first_example) {
  auto staged = staged_.find(rows.count);
  if (staged == staged_.end()) staged = staged_.emplace(rows.count, empty_batch(rows.count)).first;
  upload_indices(rows, first_example, staged->second);
  return staged->second;
}

void BatchSource::make_batch(const Batch& batch) const {
  config_.model == TrainModel::kClassifier ? make_digits(batch) : make_diffusion(batch);
}

void BatchSource::make_diffusion(const Batch& batch) const {
  float* const classes = input(batch, InputRole::kCondition);
  context_.launch(
      &KernelTable::diffusion_batch,
      DiffusionBatchArgs{.task = task_of(config_),
                         .seed = config_.seed,
                         .first_example = static_cast<uint64_t*>(batch.first_example.raw()),
                         .n = batch.images,
                         .pixels = MnistDataset::kPixels,
                         .classes = config_.classes,
                         .sigma = static_cast<float>(config_.objective.sigma),
                         .timesteps = config_.objective.timesteps,
                         .drop = static_cast<float>(config_.class_dropout),
                         .images = images_.data<uint8_t>(),
                         .labels = classes != nullptr ? labels_.data<uint8_t>() : nullptr,
                         .indices = batch.indices.data<int32_t>(),
                         .alpha_bar = alpha_bar_.defined() ? alpha_bar_.data<float>() : nullptr,
                         .input = input(batch, InputRole::kSample),
                         .target = batch.target.data<float>(),
                         .t = input(batch, InputRole::kTime),
                         .c = classes});
}

void BatchSource::make_digits(const Batch& batch) const {
  const double radians = config_.max_rotation * std::numbers::pi / 180;
  context_.launch(&KernelTable::digit_batch,
                  DigitBatchArgs{.seed = config_.seed,
                                 .first_example = static_cast<uint64_t*>(batch.first_example.raw()),
                                 .n = batch.images,
                                 .height = 28,
                                 .width = 28,
                                 .classes = config_.classes,
                                 .max_shift = static_cast<float>(config_.max_shift),
                                 .max_tangent = static_cast<float>(std::tan(radians / 2)),
                                 .images = images_.data<uint8_t>(),
                                 .labels = labels_.data<uint8_t>(),
                                 .indices = batch.indices.data<int32_t>(),
                                 .input = input(batch, InputRole::kSample),
                                 .target = batch.target.data<float>()});
}

}  // namespace ebb
