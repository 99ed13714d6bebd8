#include "diffusion/pipeline.h"

#include "diffusion/conditioner.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

constexpr size_t kPixels = 28 * 28;

struct Setup {
  const char* name;
  const char* conditioning;
  const char* fusion;
  Objective objective;
  const char* sampler;
};

std::vector<Setup> setups() {
  const Objective ddpm, flow{.type = ObjectiveType::kFlow};
  return {{"ddpm class", "class", "add", ddpm, "ddpm"},
          {"ddim class", "class", "add", ddpm, "ddim"},
          {"dpm++ class", "class", "add", ddpm, "dpm++"},
          {"ddpm time", "time", "add", ddpm, "ddpm"},
          {"euler class", "class", "add", flow, "euler"},
          {"heun time", "time", "multiply", flow, "heun"}};
}

Model model_of(Context& context, const Setup& setup, int64_t hidden = 4) {
  const Network network =
      make_network(test::mnist_config(setup.conditioning, setup.fusion, hidden), "test");
  return {.network = network,
          .objective = setup.objective,
          .params = test::random_params(context, network, 3)};
}

// One image for each of the labels.
struct Job {
  GenerateRequest request{.seed = 70};
  int64_t steps = 4;
  int64_t batch_size = 64;
};

Job job_for(const Setup& setup, int64_t images) {
  Job job;
  for (int64_t i = 0; i < images; ++i) {
    job.request.labels.push_back(setup.conditioning == std::string("class") ? (3 * i) % 10
                                                                            : kNoClass);
  }
  return job;
}

std::vector<float> values_of(const Setup& setup, const Job& job, int threads, int64_t hidden = 4) {
  const auto context = test::cpu_context(threads);
  const Pipeline pipeline(
      *context, model_of(*context, setup, hidden),
      {.sampler = setup.sampler, .steps = job.steps, .batch_size = job.batch_size});
  return pipeline.generate_values(job.request);
}

std::span<const float> image(const std::vector<float>& values, size_t i) {
  return std::span(values).subspan(i * kPixels, kPixels);
}

TEST_CASE("an image is bitwise the same in any batch and alone") {
  for (const Setup& setup : setups()) {
    INFO(setup.name);
    Job job = job_for(setup, 7);
    const std::vector<float> together = values_of(setup, job, 2);
    REQUIRE(together.size() == 7 * kPixels);
    for (const int64_t batch_size : {1, 2, 3, 4}) {
      job.batch_size = batch_size;
      CHECK(test::compare_bits(values_of(setup, job, 2), together) == "");
    }
    Job alone = job_for(setup, 1);
    alone.request.labels = {job.request.labels[5]};
    alone.request.seed = job.request.seed + 5;
    CHECK(test::compare_bits(values_of(setup, alone, 1), image(together, 5)) == "");
  }
}

TEST_CASE("images do not depend on the number of threads") {
  for (const Setup& setup : setups()) {
    INFO(setup.name);
    const Job job = job_for(setup, 3);
    CHECK(test::compare_bits(values_of(setup, job, 1), values_of(setup, job, 3)) == "");
  }
}

TEST_CASE("independence of batch and threads holds at the width that ships") {
  const Setup setup = setups()[0];
  Job job = job_for(setup, 5);
  job.steps = 1;
  const std::vector<float> together = values_of(setup, job, 2, 64);
  job.batch_size = 2;
  CHECK(test::compare_bits(values_of(setup, job, 1, 64), together) == "");
}

TEST_CASE("two seeds give two images, two classes give two images of one seed") {
  const Setup setup = setups()[0];
  Job job = job_for(setup, 2);
  job.request.labels = {4, 4};
  const std::vector<float> seeds = values_of(setup, job, 1);
  CHECK(test::compare_bits(image(seeds, 0), image(seeds, 1)) != "");
  job.request.labels = {4};
  const std::vector<float> four = values_of(setup, job, 1);
  job.request.labels = {9};
  CHECK(test::compare_bits(values_of(setup, job, 1), four) != "");
}

TEST_CASE("an image without a class is unguided at any scale") {
  const Setup setup = setups()[0];
  Job job = job_for(setup, 1);
  job.request.labels = {kNoClass};
  job.request.guidance_scale = 1;
  const std::vector<float> plain = values_of(setup, job, 1);
  job.request.guidance_scale = 5;
  const std::vector<float> guided = values_of(setup, job, 1);
  CHECK(test::nmse(guided, test::to_double(plain)) < 1e-9);
}

TEST_CASE("prompts, labels and a guidance of one's own say the same") {
  const auto context = test::cpu_context();
  const Pipeline pipeline(*context, model_of(*context, setups()[0]), {.steps = 3});
  const auto by_labels = pipeline.generate_values({.labels = {7, 7}, .seed = 4});
  CHECK(test::compare_bits(
            pipeline.generate_values({.prompts = {"a photo of a seven"}, .images = 2, .seed = 4}),
            by_labels) == "");
  const std::array labels{int64_t{7}};
  const Guidance guidance = class_guidance(*context, pipeline.model().network, labels, 5);
  CHECK(test::compare_bits(pipeline.generate_values({.images = 2, .seed = 4, .guidance = guidance}),
                           by_labels) == "");
  CHECK(test::compare_bits(pipeline.generate_values({.images = 2, .seed = 4}), by_labels) != "");
}

TEST_CASE("images are the values in 8 bits, clamped") {
  const auto context = test::cpu_context();
  const Pipeline pipeline(*context, model_of(*context, setups()[0]), {.steps = 2});
  const GenerateRequest request{.prompts = {"7", "1"}};
  const std::vector<float> values = pipeline.generate_values(request);
  const std::vector<Image> images = pipeline.generate(request);
  REQUIRE(images.size() == 2);
  CHECK(images[1] == image_from_floats(image(values, 1), 28, 28, 1, DataRange::kZeroToOne));
}

TEST_CASE("a pipeline that gives its weights away makes the same images and keeps none") {
  const Setup setup = setups()[0];
  const auto context = test::cpu_context();
  const Job job = job_for(setup, 5);
  const auto in_use = [&] { return context->allocator()->stats().bytes_in_use; };
  const int64_t before = in_use();
  for (const int64_t batch_size : {5, 3, 2, 1, 64}) {  // 3 and 2 leave a smaller batch
    CAPTURE(batch_size);
    Pipeline pipeline(*context, model_of(*context, setup),
                      {.sampler = setup.sampler, .steps = job.steps, .batch_size = batch_size});
    const std::vector<float> kept = pipeline.generate_values(job.request);
    CHECK_FALSE(pipeline.model().params.empty());
    CHECK(test::compare_bits(std::move(pipeline).generate_values(job.request), kept) == "");
    CHECK(in_use() == before);
  }
}

TEST_CASE("the callback gets every batch and step") {
  const auto context = test::cpu_context();
  const Pipeline pipeline(*context, model_of(*context, setups()[0]), {.steps = 4, .batch_size = 2});
  std::vector<std::string> calls, expected;
  const std::vector<float> values =
      pipeline.generate_values({.images = 5}, [&](const GenerateStep& step) {
        calls.push_back(
            cat(step.first_image, "+", step.x.shape()[0], " ", step.step, "/", step.steps));
        return true;
      });
  for (const char* batch : {"0+2 ", "2+2 ", "4+1 "}) {
    for (int64_t done = 0; done <= 4; ++done) expected.push_back(cat(batch, done, "/4"));
  }
  CHECK(calls == expected);
  CHECK(values.size() == 5 * kPixels);
}

TEST_CASE("the callback's estimate is the clean estimate at its level and changes no pixel") {
  for (const Setup& setup : setups()) {
    INFO(setup.name);
    const auto context = test::cpu_context();
    const Pipeline pipeline(*context, model_of(*context, setup),
                            {.sampler = setup.sampler, .steps = 5});
    GenerateRequest request{.images = 2, .seed = 9, .resampling = {.jump = 2, .times = 2}};
    const SamplingSchedule schedule = pipeline.schedule();
    const std::vector<Step> plan = plan_steps(step_count(schedule), request.resampling);
    REQUIRE(plan.size() > 5);  // with jumps back
    NetworkDenoiser denoiser(*context, pipeline.model().network, pipeline.model().params, 2,
                             pipeline.guidance(request));
    const std::vector<float> plain = pipeline.generate_values(request);
    std::string wrong;
    const std::vector<float> watched =
        pipeline.generate_values(request, [&](const GenerateStep& step) {
          const std::vector<float> x = step.x.to_host();
          int64_t level = 0;
          for (int64_t k = 0; k < step.step; ++k) {
            level += plan[static_cast<size_t>(k)].is_jump_back ? -1 : 1;
          }
          const NoiseLevel& now = schedule[static_cast<size_t>(level)];
          const Tensor t = test::tensor_of(*context, {1, 1}, {static_cast<float>(now.time)});
          const Tensor expected = clean_estimate(*context, setup.objective, now, step.x,
                                                 denoiser.predict(step.x, t).value);
          if (wrong.empty()) wrong = test::compare_bits(step.clean_estimate(), expected);
          if (wrong.empty()) wrong = test::compare_bits(step.x.to_host(), x);
          return true;
        });
    CHECK(wrong == "");
    CHECK(test::compare_bits(watched, plain) == "");
  }
}

TEST_CASE("a callback that returns false stops between steps and keeps the complete batches") {
  const auto context = test::cpu_context();
  const Pipeline pipeline(*context, model_of(*context, setups()[0]), {.steps = 4, .batch_size = 2});
  const GenerateRequest request{.images = 5, .seed = 3};
  const std::vector<float> all = pipeline.generate_values(request);
  int64_t calls = 0;
  const auto stop_in_second_batch = [&](const GenerateStep& step) {
    ++calls;
    return step.first_image == 0 || step.step < 2;
  };
  const std::vector<float> some = pipeline.generate_values(request, stop_in_second_batch);
  CHECK(calls == 5 + 3);
  CHECK(test::compare_bits(some, std::span(all).subspan(0, 2 * kPixels)) == "");
  CHECK(pipeline.generate(request, [](const GenerateStep&) { return false; }).empty());
  CHECK(test::compare_bits(pipeline.generate_values(request), all) == "");
}

TEST_CASE("a pipeline's defaults are the sampler's table and the assignment's list") {
  const auto context = test::cpu_context();
  const auto steps_of = [&](const Setup& setup, const char* sampler) {
    return step_count(
        Pipeline(*context, model_of(*context, setup), {.sampler = sampler}).schedule());
  };
  const std::vector<Setup> all = setups();
  CHECK(steps_of(all[0], "") == 300);
  CHECK(steps_of(all[0], "ddim") == 50);
  CHECK(steps_of(all[0], "dpm++") == 20);
  CHECK(steps_of(all[4], "") == 300);
  CHECK(steps_of(all[5], "") == 50);
  CHECK(steps_of(all[5], "heun") == 50);
  CHECK(Pipeline(*context, model_of(*context, all[4])).sampler() == SamplerKind::kEuler);
}

TEST_CASE("options that do not fit the model are errors that name them") {
  const auto context = test::cpu_context();
  const auto message = [&](const Setup& setup, PipelineOptions options) {
    return test::message_of<UsageError>([&] {
      options.field_prefix = "--";
      Pipeline(*context, model_of(*context, setup), options).schedule();
    });
  };
  const Setup ddpm = setups()[0], flow = setups()[4];
  CHECK_THAT(message(ddpm, {.sampler = "plms"}), Contains("--sampler plms"));
  CHECK_THAT(message(ddpm, {.sampler = "heun"}),
             Contains("--sampler heun") && Contains("Use ddpm, ddim or dpm++."));
  CHECK_THAT(message(flow, {.sampler = "ddim"}), Contains("Use euler or heun."));
  CHECK_THAT(message(ddpm, {.steps = 301}), Contains("--steps 301") && Contains("1..300"));
  CHECK_THAT(message(ddpm, {.steps = -1}), Contains("--steps -1"));
  CHECK_THAT(message(ddpm, {.variance = "learned_range"}), Contains("--variance learned_range"));
  CHECK_THAT(message(flow, {.variance = "fixed_small"}), Contains("--variance fixed_small"));
  CHECK_THAT(message(ddpm, {.eta = 0.5}), Contains("--eta 0.5"));
  CHECK_THAT(message(ddpm, {.sampler = "ddim", .eta = 2}), Contains("--eta 2"));
  CHECK_THAT(message(ddpm, {.batch_size = 0}), Contains("--batch-size 0"));
  Setup denoiser = setups()[3];
  denoiser.objective.type = ObjectiveType::kDenoise;
  CHECK_THAT(message(denoiser, {}), Contains("--model") && Contains("cannot sample"));
}

TEST_CASE("requests that do not fit are errors that name the field") {
  const auto context = test::cpu_context();
  const std::vector<Setup> all = setups();
  const auto message = [&](const Setup& setup, const GenerateRequest& request) {
    const Pipeline pipeline(*context, model_of(*context, setup), {.steps = 1});
    return test::message_of<UsageError>([&] { pipeline.generate(request); });
  };
  CHECK_THAT(message(all[0], {.prompts = {"eleven"}}), Contains("prompts eleven"));
  CHECK_THAT(message(all[0], {.labels = {10}}), Contains("labels 10") && Contains("0..9"));
  CHECK_THAT(message(all[0], {.prompts = {"1"}, .labels = {1}}), Contains("prompts"));
  CHECK_THAT(message(all[0], {.labels = {1, 2}, .images = 3}), Contains("2 for 3 images"));
  CHECK_THAT(message(all[0], {.images = -1}), Contains("images -1"));
  CHECK_THAT(message(all[3], {.prompts = {"7"}}), Contains("prompts 7"));
  CHECK_THAT(message(all[3], {.labels = {7}}), Contains("labels 7"));
  const Pipeline pipeline(*context, model_of(*context, all[0]), {.steps = 1});
  const Tensor start = Tensor::zeros(*context, {2, 28, 28, 1});
  CHECK_THROWS_AS(pipeline.generate({.images = 3, .start = start}), ShapeError);
}

}  // namespace
}  // namespace ebb
