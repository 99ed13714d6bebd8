#!/usr/bin/env python3
"""ebb sample: models, images, seeds and output files.

Usage: ebb_sample_test.py EBB
"""

import os
import struct
import subprocess
import unittest

from ebb_case import FAST, EbbTest, main, pixels, png_chunks, program, provenance
from model_files import write_model, write_reference


class Models(EbbTest):
    def test_a_missing_model_ends_with_4_and_says_where_it_was_looked_for(self) -> None:
        done = self.ebb("sample", "--model", "nothere", rc=4, env={"EBB_MODELS": "/a:/b"})
        for place in ("/a/nothere.safetensors", "/b/nothere", "weights/pretrained/nothere"):
            self.assertIn(place, done.stderr)
        self.assertIn("x.safetensors", self.ebb("sample", "--model", "x.safetensors", rc=4).stderr)

    def test_a_name_is_found_in_the_model_directorys(self) -> None:
        pretrained = self.dir / "weights" / "pretrained"
        pretrained.mkdir(parents=True)
        write_model(pretrained / "mnist-class.safetensors")
        self.ebb("sample", *FAST, "-b", 1, "-o", "a.png")
        self.ebb("sample", "--model", "m", *FAST, "-b", 1, "-o", "b.png",
                 env={"EBB_MODELS": f"/nowhere:{self.dir}"})  # fmt: skip
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))

    def test_other_files_end_with_3(self) -> None:
        (self.dir / "text.safetensors").write_text("hello")
        write_reference(self.dir / "ref.safetensors")
        for name in ("text.safetensors", "ref.safetensors"):
            done = self.ebb("sample", "--model", name, rc=3)
            self.assertIn(name, done.stderr)

    def test_cuda_is_refused_with_5_and_the_reason(self) -> None:
        self.assertIn("--device cuda", self.sample("--device", "cuda:7", rc=5).stderr)

    def test_devices_lists_what_there_is_and_why_the_rest_is_not(self) -> None:
        listed = self.ebb("devices").stdout
        self.assertRegex(listed, r"(?m)^cpu .*\d+ threads$")
        self.assertRegex(listed, r"(?m)^(cuda:\d+ +[^ ]|cuda +not available: \w)")
        self.assertRegex(listed, r"(?m)^auto +(cpu|cuda:0)$")


class Sampling(EbbTest):
    def test_one_of_each_class_by_default(self) -> None:
        done = self.sample()
        self.assertEqual(self.names(), {f"out_{i:03d}.png" for i in range(10)})
        for i in range(10):
            self.assertIn(f"out_{i:03d}.png  seed {42 + i}  class {i}\n", done.stdout)
        header = png_chunks(self.dir / "out_007.png", b"IHDR")[0]
        self.assertEqual(struct.unpack(">IIBB", header[:10]), (8 * 28, 8 * 28, 8, 0))

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        for directory in ("a", "b"):
            (self.dir / directory).mkdir()
            subprocess.run(
                [program(), "sample", "--model", "../m.safetensors", *FAST, "-b", "2", "--gif"],
                cwd=self.dir / directory, check=True, capture_output=True,
            )  # fmt: skip
        for name in ("out_000.png", "out_001.png", "out_000.gif"):
            first, second = ((self.dir / f / name).read_bytes() for f in ("a", "b"))
            self.assertEqual(first, second, name)

    def test_an_image_does_not_depend_on_batch_or_threads(self) -> None:
        self.sample("-s", 7, "-b", 5, "--class", 3, "-o", "a_%d.png")
        self.sample("-s", 7, "-b", 5, "--class", 3, "-o", "b_%d.png", "--batch-size", 2)
        self.ebb("sample", "--model", "m.safetensors", "--steps", 3, "--threads", 3, "-s", 7, "-b", 5,
                 "--class", 3, "-o", "c_%d.png")  # fmt: skip
        self.sample("-s", 11, "--class", 3, "-o", "alone.png")
        for i in range(5):
            expected = pixels(self.dir / f"a_{i}.png")
            self.assertEqual(pixels(self.dir / f"b_{i}.png"), expected)
            self.assertEqual(pixels(self.dir / f"c_{i}.png"), expected)
        self.assertEqual(pixels(self.dir / "alone.png"), pixels(self.dir / "a_4.png"))

    def test_seed_class_guidance_and_sampler_each_matter(self) -> None:
        # The golden network is untrained and its classes are close: much guidance sets them apart.
        base = {"-s": 7, "--class": 3, "--cfg-scale": 90, "--sampler": "ddpm"}
        changes = {"-s": 8, "--class": 4, "--cfg-scale": 1, "--sampler": "ddim"}
        variants = [base] + [base | {flag: value} for flag, value in changes.items()]
        for i, flags in enumerate(variants):
            self.sample(*(item for pair in flags.items() for item in pair), "-o", f"{i}.png")
        images = {bytes().join(pixels(self.dir / f"{i}.png")) for i in range(len(variants))}
        self.assertEqual(len(images), len(variants))

    def test_a_negative_seed_is_random_printed_and_recorded(self) -> None:
        done = self.sample("-s", -1, "-b", 1, "-o", "a.png")
        seed = provenance(self.dir / "a.png")["seeds"][0]
        self.assertIn(f"a.png  seed {seed}", done.stdout)
        self.sample("-s", seed, "-b", 1, "-o", "b.png")
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))
        again = provenance(self.dir / "a.png")["argv"][1:]
        self.ebb(*again, "-o", "c.png")
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "c.png"))

    def test_a_image_says_how_it_was_made(self) -> None:
        self.sample("-s", 5, "--class", 8, "-o", "a.png")
        made = provenance(self.dir / "a.png")
        self.assertEqual(made["argv"][1:4], ["sample", "--model", "m.safetensors"])
        self.assertEqual(made["seeds"], [5])
        self.assertEqual(made["prompt"], "class 8")
        self.assertEqual((made["sampler"], made["steps"], made["cfg_scale"]), ("ddpm", 3, 5))
        self.assertEqual(len(made["model_sha256"]), 64)
        self.assertIn("class 8", self.ebb("info", "a.png").stdout)

    def test_guidance_is_named_where_there_is_some(self) -> None:
        self.assertIn("ddpm, 3 steps, guidance 7, cpu", self.sample("-b", 1, "--cfg-scale", 7).stdout)
        done = self.sample("-b", 1, "--cfg-scale", 1, "-o", "plain.png")
        self.assertIn("ddpm, 3 steps, cpu", done.stdout)

    def test_a_grid_has_one_column_per_class(self) -> None:
        self.sample("-b", 20, "--grid", "-o", "g.png")
        width = struct.unpack(">I", png_chunks(self.dir / "g.png", b"IHDR")[0][:4])[0]
        self.assertEqual(width, 10 * (4 * 28 + 4) - 4 + 2 * 12)
        self.assertEqual(provenance(self.dir / "g.png")["seeds"], list(range(42, 62)))
        self.sample("-b", 4, "--grid", "--grid-cols", 4, "-o", "row.png")
        width = struct.unpack(">I", png_chunks(self.dir / "row.png", b"IHDR")[0][:4])[0]
        self.assertEqual(width, 4 * (4 * 28 + 4) - 4 + 2 * 12)

    def test_an_animation_goes_beside_the_image_or_where_it_is_told(self) -> None:
        self.sample("-b", 2, "--grid", "--gif")
        self.sample("-b", 1, "-o", "x.png", "--gif", "film.gif")
        self.assertEqual(self.names(), {"out.png", "out.gif", "x.png", "film.gif"})
        for name in ("out.gif", "film.gif"):
            self.assertEqual((self.dir / name).read_bytes()[:6], b"GIF89a")

    def test_flags_may_be_written_with_underscores(self) -> None:
        self.ebb("sample", "--model", "m.safetensors", "--num_inference_steps=3", "--guidance_scale",
                 5, "--batch_size", 2, "-b", 1, "-o", "under_score.png")  # fmt: skip
        self.assertEqual(self.names(), {"under_score.png"})

    def test_flow_models_sample_with_euler_and_heun(self) -> None:
        write_model(self.dir / "flow.safetensors", "mnist_time_multiply", {"type": "flow"})
        for sampler in ("euler", "heun"):
            self.ebb("sample", "--model", "flow.safetensors", "--sampler", sampler, *FAST, "-o",
                     f"{sampler}.png")  # fmt: skip
            self.assertEqual(provenance(self.dir / f"{sampler}.png")["sampler"], sampler)
        self.ebb("sample", "--model", "flow.safetensors", *FAST, "-o", "plain.png")
        self.assertEqual(pixels(self.dir / "plain.png"), pixels(self.dir / "euler.png"))
        self.ebb("sample", "--model", "flow.safetensors", "--sampler", "ddpm", rc=2)

    def test_profile_prints_time_by_kernel_and_by_layer(self) -> None:
        done = self.sample("-b", 1, "--profile")
        self.assertRegex(done.stdout, r"(?m)^conv_forward +\d+")
        self.assertRegex(done.stdout, r"(?m)^up1\.up\.conv +\d+")


class Output(EbbTest):
    def test_existing_files_stay_without_force(self) -> None:
        (self.dir / "out_001.png").write_text("precious")
        done = self.sample("-b", 3, rc=4)
        self.assertIn("out_001.png", done.stderr)
        self.assertIn("--force", done.stderr)
        self.assertEqual(self.names(), {"out_001.png"})
        self.assertEqual((self.dir / "out_001.png").read_text(), "precious")
        self.sample("-b", 3, "--force")
        self.assertEqual(len(provenance(self.dir / "out_001.png")["seeds"]), 1)

    def test_an_existing_animation_stays_too(self) -> None:
        (self.dir / "out.gif").write_text("precious")
        self.sample("--grid", "--gif", rc=4)
        self.assertEqual(self.names(), {"out.gif"})

    def test_a_missing_directory_is_named_before_the_work_starts(self) -> None:
        self.assertIn("no/such", self.sample("-b", 1, "-o", "no/such/a.png", rc=4).stderr)

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_directory_without_permission_is_named(self) -> None:
        locked = self.dir / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        self.assertIn("locked", self.sample("-b", 1, "-o", "locked/a.png", rc=4).stderr)

    def test_a_file_size_limit_leaves_nothing_half_written(self) -> None:
        command = f"ulimit -f 0; exec '{program()}' sample --model m.safetensors --steps 2 -b 1 -o a.png"
        done = subprocess.run(["bash", "-c", command], cwd=self.dir, capture_output=True, text=True)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("a.png", done.stderr)
        self.assertEqual(self.names(), set())

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_standard_output_is_an_error(self) -> None:
        with open("/dev/full", "w") as full:
            done = subprocess.run([program(), "devices"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 4)
        self.assertIn("standard output", done.stderr)


if __name__ == "__main__":
    main()
