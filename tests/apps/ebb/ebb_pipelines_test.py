#!/usr/bin/env python3
"""ebb on the small pipelines of tests/golden/pipelines: its images against diffusers', and its messages.

Usage: ebb_pipelines_test.py EBB
"""

import json
import shutil
import struct

from ebb_case import EbbTest, main, provenance
from image_files import Image, read_png, write_png
from model_files import GOLDEN, read_safetensors

TENSORS, _ = read_safetensors(GOLDEN / "pipelines.safetensors")
MAN = "a man wearing a hat"
TEXT = ["--embeddings", "embeddings.safetensors"]
# ebb computes in f32: a value on the border of two levels may fall to the other side.
MOST_OFF, SHARE_OFF = 1, 0.02


def expected_images(name: str) -> list[Image]:
    """The values -1..1 of a golden tensor [N, 3, H, W] as an image file has them."""
    tensor = TENSORS[name]
    count, channels, height, width = tensor.shape
    values = struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data)
    size, images = height * width, []
    for n in range(count):
        levels = bytearray()
        for pixel in range(size):
            for c in range(channels):
                value = values[(n * channels + c) * size + pixel] / 2 + 0.5
                levels.append(int(min(max(value, 0), 1) * 255 + 0.5))
        images.append(Image(width, height, channels, bytes(levels)))
    return images


class PipelineTest(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        for entry in (GOLDEN / "pipelines").iterdir():
            copy = shutil.copytree if entry.is_dir() else shutil.copy
            copy(entry, self.dir / entry.name)
        write_png(self.dir / "in.png", expected_images("image")[0])

    def check_images(self, name: str, *words: object) -> None:
        self.ebb(*words, "-b", 2, "-s", 1, "--threads", 1, "-o", "out%d.png")
        for k, wanted in enumerate(expected_images(name)):
            image = read_png(self.dir / f"out{k}.png")
            self.assertEqual(image[:3], wanted[:3])
            errors = [abs(a - b) for a, b in zip(image.pixels, wanted.pixels)]
            self.assertLessEqual(max(errors), MOST_OFF)
            self.assertLessEqual(sum(map(bool, errors)), SHARE_OFF * len(errors))

    def refuse(self, *words: object, rc: int = 2) -> str:
        return self.ebb(*words, "-o", "out.png", rc=rc).stderr

    def man(self, command: str, *words: object) -> list:
        return [command, "--model", "if_1", *TEXT, "-p", MAN, *words]


class Images(PipelineTest):
    def test_samples_as_the_assignment_and_as_the_pipeline(self) -> None:
        sample = self.man("sample", "--scale", 1)
        self.check_images("if_1.course", *sample, "--preset", "course")
        negative = ["--negative-prompt", "a rocket ship"]
        self.check_images("if_1.pipeline", *sample, *negative, "--steps", 10, "--force")
        self.check_images("if_1.fast27", *sample, "--preset", "fast27", "--force")

    def test_the_courses_pickle_holds_the_same_prompts(self) -> None:
        words = ["sample", "--model", "if_1", "--embeddings", "prompt_embeds_dict.pth", "-p", MAN]
        self.check_images("if_1.fast27", *words, "--preset", "fast27", "--scale", 1)

    def test_edits_and_inpaints_as_the_pipelines_at_the_images_own_size(self) -> None:
        scale = ["--cfg-scale", 7, "--preset", "pipeline", "--steps", 10, "-i", "in.png"]
        self.check_images("if_1.image", *self.man("edit", *scale))
        self.check_images("if_1.inpaint", *self.man("inpaint", *scale, "--mask", "right", "--force"))

    def test_upscales(self) -> None:
        words = ["upscale", "--model", "if_2", *TEXT, "-p", MAN, "--noise-level", 100, "--steps", 6]
        self.check_images("if_2.upscaled", *words, "in.png")
        self.ebb("rerun", "out1.png", "-o", "again.png")
        self.assertEqual((self.dir / "out1.png").read_bytes(), (self.dir / "again.png").read_bytes())

    def test_upscales_with_a_network_that_is_told_of_no_noise(self) -> None:
        words = ["upscale", "--model", "karlo", "--steps", 7, "in.png"]
        self.check_images("karlo.upscaled", *words)
        self.assertIn("given the image without noise", self.refuse(*words, "--noise-level", 5))

    def test_upscales_with_karlo_as_it_is_published(self) -> None:
        whole = self.dir / "whole"
        shutil.copytree(self.dir / "karlo/unet", whole / "super_res_first")
        shutil.copytree(self.dir / "karlo/scheduler", whole / "super_res_scheduler")
        parts = {"super_res_first": "UNet2DModel", "super_res_scheduler": "UnCLIPScheduler",
                 "decoder": "UNet2DConditionModel"}  # fmt: skip
        index = {name: ["diffusers", kind] for name, kind in parts.items()} | {"_class_name": "UnCLIPPipeline"}
        (whole / "model_index.json").write_text(json.dumps(index))
        for model in ("whole", "whole/super_res_first"):
            words = ["upscale", "--model", model, "--steps", 7, "in.png", "--force"]
            self.check_images("karlo.upscaled", *words)

    def test_times_may_be_rows_of_a_table(self) -> None:
        self.check_images("learned", "sample", "--model", "learned", "--steps", 10, "--scale", 1)
        scheduler = self.dir / "learned/scheduler/scheduler_config.json"
        scheduler.write_text('{"_class_name": "DDPMScheduler", "num_train_timesteps": 1001}')
        self.assertIn("1000 timesteps, but its scheduler is ddpm of 1001", self.refuse("sample", "--model", "learned"))

    def test_upscales_what_sample_has_enlarged_to_look_at(self) -> None:
        self.ebb(*self.man("sample", "--preset", "fast27"), "-o", "large.png")
        self.ebb(*self.man("sample", "--preset", "fast27", "--scale", 1), "-o", "small.png")
        self.assertNotEqual(read_png(self.dir / "large.png").width, read_png(self.dir / "small.png").width)
        for name in ("large", "small"):
            words = ["upscale", "--model", "if_2", *TEXT, "-p", MAN, "--steps", 2]
            self.ebb(*words, f"{name}.png", "-o", f"{name}_2.png")
        self.assertEqual(read_png(self.dir / "large_2.png"), read_png(self.dir / "small_2.png"))

    def test_classes(self) -> None:
        self.check_images("classes", "sample", "--model", "classes", "--class", "3,11", "--steps", 10, "--scale", 1)

    def test_consistency_models(self) -> None:
        words = ["sample", "--model", "consistency", "--class", 7, "--scale", 1]
        self.check_images("consistency.one", *words)
        self.check_images("consistency.five", *words, "--steps", 5, "--force")
        self.check_images("consistency.list", *words, "--timestep-list", "22,0", "--force")

    def test_timesteps_of_ones_own(self) -> None:
        fast27 = "999 800 799 600 599 500 400 399 377 355 333 311 288 266 244 222 200 199 177 155 133 111 88 66 44 22 0"
        sample = self.man("sample", "--scale", 1)
        self.check_images("if_1.fast27", *sample, "--timestep-list", *fast27.split())
        for list_, message in (("5,50", "50 after 5, but timesteps descend"), ("1000", "1000 must be 0..999")):
            self.assertIn(message, self.refuse(*sample, "--timestep-list", list_))
        for flags in (["--steps", 3], ["--preset", "course"], ["--preset", "fast27"]):
            self.assertIn("has no meaning with", self.refuse(*sample, "--timestep-list", "5,0", *flags))
        edit = self.man("edit", "-i", "in.png", "--timestep-list", "900,500,300,0")
        self.ebb(*edit, "--strength", 0.5, "-o", "edit.png")
        self.assertIn("has no meaning with --i-start", self.refuse(*edit, "--i-start", 3))

    def test_a_variant_is_chosen(self) -> None:
        unet = self.dir / "if_1/unet"
        shutil.copy(unet / "diffusion_pytorch_model.fp16.safetensors", unet / "diffusion_pytorch_model.bf16.safetensors")
        sample = self.man("sample", "--preset", "fast27")
        self.assertIn("variants bf16, fp16 and no plain file. Choose one with --variant", self.refuse(*sample))
        self.ebb(*sample, "--variant", "fp16", "-o", "a.png")
        self.ebb("rerun", "a.png", "-o", "b.png")
        self.assertEqual((self.dir / "a.png").read_bytes(), (self.dir / "b.png").read_bytes())
        variant = ["--variant", "bf16"]
        self.ebb("forward", "--model", "if_1", *variant, "-i", "in.png", "-t", 250, "-o", "forward.png")
        self.ebb("report", "--fast", "--model", "if_1", *TEXT, *variant, "--sections", "forward,samples", "-o", "report")
        self.assertIn("but no int8", self.refuse(*sample, "--variant", "int8"))
        self.assertIn("is no directory of diffusers", self.refuse("sample", "--model", "m.safetensors", *variant))


class Toolbox(PipelineTest):
    def test_every_command_takes_a_model_that_reads_text(self) -> None:
        text = ["--model", "if_1", *TEXT, "--threads", 1, "--force", "-o", "out.png"]
        for words in (
            ["anagram", "--prompts", MAN, "a rocket ship", "--view", "flip", "--grid"],
            ["hybrid", "--far", MAN, "--near", "a rocket ship", "--grid"],
            ["hybrid", "--decomposition", "color", "--prompts", MAN, "a rocket ship"],
            ["hybrid", "--inverse", "in.png", "--near", MAN],
            ["denoise", "-i", "in.png", "-p", MAN, "--show-every", 11],
            ["denoise", "-i", "in.png", "-p", MAN, "--one-step", "-t", 500],
            ["edit", "-i", "in.png", "-p", MAN, "--i-start", "20,28", "--grid"],
            ["inpaint", "-i", "in.png", "-p", MAN, "--mask", "left", "--strength", 0.5],
        ):
            with self.subTest(words):
                self.ebb(*words, *text)
                self.assertEqual(read_png(self.dir / "out.png").channels, 3)

    def test_noise_needs_no_prompts(self) -> None:
        for command in ("forward", "blur"):
            self.ebb(command, "--model", "if_1", "-i", "in.png", "-t", 250, "-o", f"{command}.png")

    def test_every_command_takes_a_consistency_model(self) -> None:
        model = ["--model", "consistency", "--force", "-o", "out.png", "-i", "in.png"]
        for words in (
            ["edit", "--class", 7, "--i-start", 20],
            ["edit", "--class", 7, "--strength", 0.5, "--steps", 4],
            ["denoise", "--class", 7, "--one-step", "-t", 250],
            ["inpaint", "--class", 7, "--mask", "left", "--steps", 3],
            ["forward", "-t", 250],
        ):
            with self.subTest(words):
                self.ebb(*words, *model)

    def test_starts_that_are_given_are_kept_whatever_the_preset(self) -> None:
        edit = ["edit", "--model", "if_1", *TEXT, "-i", "in.png", "--preset", "fast27", "--threads", 1, "-o"]
        done = self.ebb(*edit, "out_%d.png", "--i-start", "1,3,5,7,10,20")  # those that edit has without a preset
        self.assertEqual(done.stdout.count("i_start "), 6, done.stdout)
        self.assertIn("strength 0.7", self.ebb(*edit, "strong.png").stdout)

    def test_an_image_of_the_models_size_keeps_it(self) -> None:
        for words in (["forward", "-t", 250], ["denoise", "--one-step", "-t", 250, *TEXT],
                      ["edit", "--i-start", 30, *TEXT]):
            self.ebb(*words, "--model", "if_1", "-i", "in.png", "-o", "out.png", "--force")
            self.assertEqual(read_png(self.dir / "out.png")[:3], (16, 16, 3), words)

    def test_files_record_prompts_and_embeddings(self) -> None:
        self.ebb(*self.man("sample", "--negative-prompt", "a rocket ship", "--preset", "fast27", "-o", "a.png"))
        record = provenance(self.dir / "a.png")
        self.assertEqual((record["prompt"], record["negative_prompt"]), (MAN, "a rocket ship"))
        self.assertEqual([entry["path"] for entry in record["inputs"]], ["embeddings.safetensors"])
        shutil.copy(self.dir / "prompt_embeds_dict.pth", self.dir / "embeddings.safetensors")
        done = self.ebb("rerun", "a.png", "-o", "b.png", rc=3)
        self.assertIn("was made with another input", done.stderr)


class Report(PipelineTest):
    def sections(self, *words: object) -> str:
        self.ebb("report", "--fast", *words, "-o", "report")
        page = (self.dir / "report/index.html").read_text()
        self.assertTrue((self.dir / "report/figures/inpaint.png").exists())
        return page

    def test_of_a_model_that_reads_text(self) -> None:
        page = self.sections("--model", "if_1", *TEXT)
        for figure in ("forward", "blur", "one-step", "iterative", "edit", "anagrams", "hybrids"):
            self.assertTrue((self.dir / f"report/figures/{figure}.png").exists(), figure)
        self.assertNotIn("nothing to guide away from", page)

    def test_says_what_it_leaves_out(self) -> None:
        page = self.sections("--model", "ddpm")
        self.assertIn("nothing to guide away from", page)
        self.assertIn("takes no two prompts or classes", page)

    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(GOLDEN / "checkpoints/ddpm", self.dir / "ddpm")

    def test_refuses_what_it_cannot_draw(self) -> None:
        self.assertIn("--embeddings FILE", self.ebb("report", "--model", "if_1", "-o", "r", rc=2).stderr)
        self.assertIn("enlarges images", self.ebb("report", "--model", "if_2", "-o", "r", rc=2).stderr)


class Messages(PipelineTest):
    def test_stages_are_told_apart(self) -> None:
        self.assertIn("enlarges images", self.refuse("sample", "--model", "if_2"))
        self.assertIn("enlarges images", self.refuse("forward", "--model", "if_2", "-i", "in.png"))
        self.assertIn("it enlarges none", self.refuse("upscale", "--model", "if_1", "in.png"))

    def test_prompts(self) -> None:
        self.assertIn("reads text. Give its prompts with --embeddings", self.refuse("sample", "--model", "if_1"))
        words = ["sample", "--model", "if_1", *TEXT]
        self.assertIn(f'Did you mean "{MAN}", ', self.refuse(*words, "-p", "a man with a hat"))
        self.assertIn("--negative-prompt x: is not in", self.refuse(*words, "-p", MAN, "--negative-prompt", "x"))
        self.assertIn("Use --prompt", self.refuse(*words, "--class", 3))
        self.assertIn("[tokens, width]", self.refuse(
            "sample", "--model", "if_1", "--embeddings", "if_1/unet", "-p", MAN, rc=3))
        self.assertIn("reads no text", self.refuse("sample", "--model", "classes", "--class", 3, *TEXT))

    def test_classes(self) -> None:
        words = ["sample", "--model", "classes"]
        self.assertIn("one of its classes 0..11", self.refuse(*words))
        self.assertIn("--class 12: must be 0..11", self.refuse(*words, "--class", 12))
        self.assertIn("one of its classes", self.refuse(*words, "--class", "none"))
        self.assertIn("nothing to guide away from", self.refuse(*words, "--class", 3, "--cfg-scale", 2))

    def test_presets(self) -> None:
        sample = self.man("sample")
        self.assertIn("has no meaning with --preset course", self.refuse(*sample, "--preset", "course", "--steps", 3))
        self.assertIn("applies to the sampler ddpm", self.refuse(*sample, "--preset", "course", "--sampler", "ddim"))
        self.assertIn("leaves none", self.refuse(*self.man("edit", "-i", "in.png", "--strength", 0.01)))
        noise = ["upscale", "--model", "if_2", *TEXT, "in.png", "--noise-level", 1000]
        self.assertIn("must be 0..999", self.refuse(*noise))


if __name__ == "__main__":
    main()
