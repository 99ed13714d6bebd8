#include "nn/autograd/trainer.h"

#include <ebb/trainer.h>

#include <algorithm>
#include <map>
#include <utility>

#include "api/impl.h"
#include "base/error.h"
#include "diffusion/batch_order.h"
#include "diffusion/model_file.h"
#include "diffusion/schedule.h"
#include "kernels/kernel_table.h"
#include "kernels/sampling/diffusion_batch.h"
#include "nn/param_collector.h"

namespace ebb::api {
namespace {

constexpr int64_t kSide = 28;       // of the network's images
constexpr int64_t kMaxLabel = 255;  // that a data set on the device holds

// An objective that TrainerOptions can name, and what makes its batches.
struct Task {
  const char* name;
  ObjectiveType objective;
  DiffusionTask batch;
};
constexpr Task kTasks[] = {{"ddpm", ObjectiveType::kDdpm, DiffusionTask::kDdpm},
                           {"flow", ObjectiveType::kFlow, DiffusionTask::kFlow},
                           {"denoise", ObjectiveType::kDenoise, DiffusionTask::kDenoise}};

const Task& task_of(const TrainerOptions& options) {
  for (const Task& task : kTasks) {
    if (options.objective == task.name) return task;
  }
  throw UsageError(cat("objective ", options.objective, ": must be ddpm, flow or denoise"));
}

void check(const TrainerOptions& options) {
  const auto positive = [](const char* field, int64_t value) {
    EBB_CHECK(value >= 1, UsageError, field, " ", value, ": must be at least 1");
  };
  positive("timesteps", options.timesteps);
  positive("hidden", options.hidden);
  positive("batch_size", options.batch_size);
  EBB_CHECK(options.classes >= 0, UsageError, "classes ", options.classes,
            ": must be positive, or 0 for one more than the largest label");
  EBB_CHECK(options.class_dropout >= 0 && options.class_dropout <= 1, UsageError, "class_dropout ",
            options.class_dropout, ": must be 0..1");
  EBB_CHECK(options.ema_decay >= 0 && options.ema_decay < 1, UsageError, "ema_decay ",
            options.ema_decay, ": must be at least 0 and below 1");
  EBB_CHECK(options.clip_norm >= 0, UsageError, "clip_norm ", options.clip_norm,
            ": must not be negative");
}

// [count, 28 * 28]
std::vector<uint8_t> pixels_of(std::span<const Image> images) {
  EBB_CHECK(!images.empty(), UsageError, "images: there are none, expected at least one");
  std::vector<uint8_t> pixels;
  pixels.reserve(images.size() * static_cast<size_t>(kSide * kSide));
  for (size_t i = 0; i < images.size(); ++i) {
    const std::string field = cat("images[", i, "]");
    const Image& image = images[i];
    EBB_CHECK(image.width == kSide && image.height == kSide && image.channels == 1, UsageError,
              field, ": is ", image.width, " x ", image.height, " with ", image.channels,
              " channels, expected ", kSide, " x ", kSide,
              " with 1. Use Image::resized() and Image::to_gray().");
    const ebb::Image checked = to_internal(image, field);
    pixels.insert(pixels.end(), checked.pixels.begin(), checked.pixels.end());
  }
  return pixels;
}

// The number of classes that options and labels lead to; 0 without labels.
int64_t classes_of(std::span<const int64_t> labels, size_t images, const TrainerOptions& options) {
  if (labels.empty()) {
    EBB_CHECK(options.classes == 0, UsageError, "classes ", options.classes,
              ": given without labels. Give a label for each image, or leave it out.");
    return 0;
  }
  EBB_CHECK(labels.size() == images, UsageError, "labels: ", labels.size(), " for ", images,
            " images. Give one for each image, or none.");
  EBB_CHECK(options.objective != "denoise", UsageError,
            "labels: the objective denoise takes no classes. Leave them out.");
  const int64_t most = options.classes > 0 ? options.classes - 1 : kMaxLabel;
  for (size_t i = 0; i < labels.size(); ++i) {
    EBB_CHECK(labels[i] >= 0 && labels[i] <= std::min(most, kMaxLabel), UsageError, "labels[", i,
              "] ", labels[i], ": must be 0..", std::min(most, kMaxLabel));
  }
  return options.classes > 0 ? options.classes
                             : *std::max_element(labels.begin(), labels.end()) + 1;
}

Network network_of(const TrainerOptions& options, int64_t classes) {
  const char* conditioning = options.objective == "denoise" ? "none"
                             : classes > 0                  ? "class"
                                                            : "time";
  const char* fusion = options.objective == "flow" ? "multiply" : "add";
  // The number of classes has a place in the config of every network.
  const int64_t known = classes > 0 ? classes : 10;
  return make_network(
      cat(R"({"name": "mnist_unet", "conditioning": ")", conditioning, R"(", "time_fusion": ")",
          fusion, R"(", "hidden": )", options.hidden, R"(, "classes": )", known, "}"),
      "Trainer");
}

// The tensors of a batch: what the network reads, and what tells the kernel which batch it is.
struct Batch {
  TensorMap inputs;
  Tensor target;         // [N, 28, 28, 1]
  Tensor indices;        // [N] i32, rows of the data set
  Tensor first_example;  // a u64
};

// A copy that further steps do not change.
Tensor copy_of(const ebb::Context& context, const Tensor& tensor) {
  Tensor copy = Tensor::empty(context, tensor.shape(), tensor.dtype());
  copy.copy_from(tensor);
  return copy;
}

}  // namespace

struct Trainer::Impl {
  Impl(const Context& public_context, std::span<const Image> images,
       std::span<const int64_t> labels, const TrainerOptions& wanted)
      : handle(public_context),
        context(context_of(public_context)),
        options(wanted),
        task(task_of(wanted)),
        objective{.type = task.objective, .timesteps = wanted.timesteps, .sigma = wanted.sigma},
        classes(classes_of(labels, images.size(), wanted)),
        order(static_cast<int64_t>(images.size()), wanted.batch_size, wanted.seed),
        trainer(context, network_of(wanted, classes),
                {.adam = {}, .ema_decay = wanted.ema_decay, .clip_norm = wanted.clip_norm}) {
    const auto count = static_cast<int64_t>(images.size());
    pixels = Tensor::from_host(context, {count, kSide * kSide},
                               std::span<const uint8_t>(pixels_of(images)));
    if (classes > 0) {
      const std::vector<uint8_t> narrow(labels.begin(), labels.end());
      numbers = Tensor::from_host(context, {count}, std::span<const uint8_t>(narrow));
    }
    if (task.objective == ObjectiveType::kDdpm) {
      const std::vector<double> table = ddpm_schedule(objective).alpha_bar;
      const std::vector<float> narrow(table.begin(), table.end());
      alpha_bar = Tensor::from_host(context, {wanted.timesteps}, std::span<const float>(narrow));
    }
    trainer.params().initialize(wanted.seed);
  }

  Batch empty_batch(int64_t n) const {
    Batch batch;
    for (const NetworkInput& input : trainer.network().inputs) {
      batch.inputs[input.name] = Tensor::empty(context, with_batch(n, input.shape));
    }
    batch.target = Tensor::empty(context, {n, kSide, kSide, 1});
    batch.indices = Tensor::empty(context, {n}, DType::kI32);
    batch.first_example = Tensor::empty(context, {sizeof(uint64_t)}, DType::kU8);
    return batch;
  }

  // Batches of one size share their tensors, so that a device may capture the step.
  const Batch& stage(int64_t step) {
    const BatchOrder::Slice slice = order.slice(step);
    auto found = batches.find(slice.count);
    if (found == batches.end()) {
      found = batches.emplace(slice.count, empty_batch(slice.count)).first;
    }
    const Batch& batch = found->second;
    Stream& stream = *context.stream();
    stream.copy_to_device(batch.indices.raw(), order.rows(slice).data(), batch.indices.bytes());
    const uint64_t first_example = order.first_example(step);
    stream.copy_to_device(batch.first_example.raw(), &first_example, sizeof first_example);
    return batch;
  }

  // The buffer of the network's input with this role; null when it takes none.
  float* input(const Batch& batch, InputRole role) const {
    const NetworkInput* found = trainer.network().input(role);
    return found == nullptr ? nullptr : batch.inputs.at(found->name).data<float>();
  }

  void make(const Batch& batch) const {
    float* const c = input(batch, InputRole::kCondition);
    context.launch(
        &KernelTable::diffusion_batch,
        DiffusionBatchArgs{.task = task.batch,
                           .seed = options.seed,
                           .first_example = static_cast<uint64_t*>(batch.first_example.raw()),
                           .n = batch.target.shape()[0],
                           .pixels = kSide * kSide,
                           .classes = classes,
                           .sigma = static_cast<float>(options.sigma),
                           .timesteps = options.timesteps,
                           .drop = static_cast<float>(options.class_dropout),
                           .images = pixels.data<uint8_t>(),
                           .labels = c != nullptr ? numbers.data<uint8_t>() : nullptr,
                           .indices = batch.indices.data<int32_t>(),
                           .alpha_bar = alpha_bar.defined() ? alpha_bar.data<float>() : nullptr,
                           .input = input(batch, InputRole::kSample),
                           .target = batch.target.data<float>(),
                           .t = input(batch, InputRole::kTime),
                           .c = c});
  }

  Context handle;
  ebb::Context& context;
  TrainerOptions options;
  const Task& task;
  Objective objective;
  int64_t classes;
  BatchOrder order;
  autograd::Trainer trainer;
  Tensor pixels;                     // [count, 28 * 28] u8
  Tensor numbers;                    // labels [count] u8
  Tensor alpha_bar;                  // [T], ddpm
  std::map<int64_t, Batch> batches;  // by size
  int64_t steps = 0;
};

Trainer::Trainer(const Context& context, std::span<const Image> images,
                 std::span<const int64_t> labels, const TrainerOptions& options) {
  EBB_CHECK(context_of(context).precision() != ebb::Precision::kF16, UsageError,
            "precision kF16: has no room for small gradients. Train with kBF16 or kF32.");
  check(options);
  impl_ = std::make_shared<Impl>(context, images, labels, options);
}

TrainerStep Trainer::step() { return step(impl_->options.learning_rate); }

TrainerStep Trainer::step(double learning_rate) {
  Impl& impl = *impl_;
  const Batch& batch = impl.stage(impl.steps);
  const autograd::StepResult result = impl.trainer.captured_step(
      batch.inputs, batch.target, [&] { impl.make(batch); }, learning_rate);
  ++impl.steps;
  return {.loss = result.loss, .grad_norm = result.grad_norm, .updated = result.updated};
}

int64_t Trainer::steps() const { return impl_->steps; }
int64_t Trainer::steps_per_epoch() const { return impl_->order.steps_per_epoch(); }

Model Trainer::model() const {
  const Impl& impl = *impl_;
  ebb::Model model{.network = impl.trainer.network(), .objective = impl.objective};
  for (const auto& [name, tensor] : impl.trainer.params().final_weights()) {
    model.params[name] = copy_of(impl.context, tensor);
  }
  return Model(std::make_shared<const Model::Impl>(Model::Impl{impl.handle.impl(), model}));
}

void Trainer::save(const std::string& path) const {
  const Impl& impl = *impl_;
  save_model(path, impl.trainer.network(), impl.objective, impl.trainer.params().final_weights(),
             {{"ebb.seed", std::to_string(impl.options.seed)}}, DType::kF32);
}

}  // namespace ebb::api
