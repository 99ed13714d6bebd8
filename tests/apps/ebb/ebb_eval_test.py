#!/usr/bin/env python3
"""ebb eval from outside: what it prints for each kind of model, and its exit codes.

Usage: ebb_eval_test.py EBB
"""

import json
import random
import struct
import subprocess
from pathlib import Path

from ebb_case import EbbTest, main
from model_files import change_weight, write_model

DENOISE = {"type": "denoise", "sigma": 0.5}


def write_mnist(directory: Path, train: int = 40, tests: int = 20) -> None:
    rng = random.Random(1)
    directory.mkdir()
    for split, count in [("train", train), ("t10k", tests)]:
        (directory / f"{split}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, count, 28, 28) + rng.randbytes(count * 784)
        )
        (directory / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count))
        )


class Eval(EbbTest):
    def setUp(self) -> None:
        super().setUp()  # m.safetensors: a class model
        write_mnist(self.dir / "mnist")
        write_model(self.dir / "classifier.safetensors", "mnist_judge", {"type": "classify"})
        write_model(self.dir / "denoiser.safetensors", "mnist_denoiser", DENOISE)
        write_model(self.dir / "time.safetensors", "mnist_time_multiply", {"type": "flow"})

    def eval(
        self, model: str, *arguments, rc: int = 0, data: str = "mnist", threads: int = 1
    ) -> subprocess.CompletedProcess:
        place = ["--data", data, "--threads", threads]
        return self.ebb("eval", f"{model}.safetensors", *place, *arguments, rc=rc)

    def generate(
        self, model: str, *arguments, classifier: str = "classifier.safetensors", **options
    ) -> subprocess.CompletedProcess:
        few = ["--classifier", classifier, "--samples", 4, "--steps", 2]
        return self.eval(model, *few, *arguments, **options)

    def test_a_class_model_is_drawn_with_classifierd_and_asked_to_classify(self) -> None:
        flags = ["--cfg-scales", "0,1,5", "--images", 3, "--trials", 2]
        text = self.generate("m", *flags).stdout
        for words in ("model_sha256", "classifier_sha256", "seed", "test images (floor)",
                      "noise (ceiling)", "the model: the class"):
            self.assertIn(words, text)
        self.assertRegex(text, r"(?m)^  ddim +2 +0\.0 +- +\d")
        self.assertRegex(text, r"(?m)^  ddim +2 +5\.0 +\d+\.00 +\d")
        found = json.loads(self.generate("m", *flags, "--json").stdout)
        self.assertEqual([row["guidance"] for row in found["samples"]], [None, None, 0, 1, 5])
        self.assertIsNone(found["samples"][2]["accuracy"])
        self.assertEqual(found["classifier"][0]["trials"], 2)
        self.assertEqual(sum(found["digits"][4][f"digit_{k}"] for k in range(10)), 4)

    def test_the_same_seed_gives_the_same_figures_another_does_not(self) -> None:
        def figures(*flags, threads: int = 1) -> list:
            done = self.generate("time", "--json", *flags, threads=threads)
            return json.loads(done.stdout)["samples"]

        self.assertEqual(figures(), figures("--batch-size", 3, threads=2))
        self.assertNotEqual(figures()[2], figures("--seed", 1)[2])

    def test_a_time_model_has_neither_guidance_nor_classifier(self) -> None:
        found = json.loads(self.generate("time", "--json").stdout)
        self.assertNotIn("classifier", found)
        self.assertNotIn("accuracy", found["samples"][0])
        self.generate("time", "--cfg-scales", "1", rc=2)

    def test_a_denoiser_has_a_row_per_sigma(self) -> None:
        found = json.loads(self.eval("denoiser", "--images", 5, "--json").stdout)
        self.assertEqual([row["sigma"] for row in found["denoising"]],
                         [0, 0.2, 0.4, 0.5, 0.6, 0.8, 1])
        self.assertEqual(found["images"], 5)
        found = json.loads(self.eval("denoiser", "--sigmas", "0.5,.25", "--json").stdout)
        self.assertEqual([row["sigma"] for row in found["denoising"]], [0.5, 0.25])
        self.assertEqual(found["images"], 20)  # all there are
        self.assertIn("PSNR dB", self.eval("denoiser", "--images", 5).stdout)

    def test_a_classifier_has_a_confusion_matrix(self) -> None:
        found = json.loads(self.eval("classifier", "--json").stdout)
        rows = found["confusion"]
        self.assertEqual(sum(row[f"read_as_{k}"] for row in rows for k in range(10)), 20)
        right = sum(row[f"read_as_{k}"] for k, row in enumerate(rows))
        self.assertAlmostEqual(found["accuracy"], right / 20)

    def test_a_plot_is_written_once(self) -> None:
        for model in ("denoiser", "classifier"):
            self.eval(model, "--images", 5, "--plot", f"{model}.png")
            self.assertTrue((self.dir / f"{model}.png").read_bytes().startswith(b"\x89PNG"))
        self.assertIn("classifier.png", self.eval("classifier", "--plot", "classifier.png", rc=4).stderr)
        self.eval("classifier", "--plot", "classifier.png", "--force")
        self.generate("m", "--images", 1, "--trials", 1, "--cfg-scales", "1,5", "--plot", "m.png")
        self.assertTrue((self.dir / "m.png").exists())

    def test_flags_without_a_meaning_for_the_model_end_with_2(self) -> None:
        for model, flags in [
            ("denoiser", ["--samples", 4]), ("classifier", ["--steps", "3"]),
            ("classifier", ["--sigmas", "1"]), ("m", ["--sigmas", "1"]), ("time", ["--trials", 2]),
            ("time", ["--images", 2]), ("denoiser", ["--sampler", "ddim"]),
        ]:
            message = self.eval(model, *flags, rc=2).stderr
            self.assertIn(f"error: {flags[0]}", message)
            self.assertIn(f"{model}.safetensors", message)

    def test_values_out_of_range_end_with_2_and_name_the_flag(self) -> None:
        for model, flags in [
            ("m", ["--cfg-scales", "1,x"]), ("m", ["--cfg-scales", "-1"]),
            ("m", ["--cfg-scales", "1,,2"]), ("m", ["--cfg-scales", "nan"]),
            ("m", ["--steps", "301"]), ("m", ["--steps", "2.5"]), ("m", ["--steps", "0"]),
            ("m", ["--sampler", "euler"]), ("time", ["--sampler", "ddpm"]),
            ("denoiser", ["--sigmas", "11"]), ("m", ["--samples", "1"]),
        ]:
            self.assertIn(f"error: {flags[0]}", self.eval(model, *flags, rc=2).stderr)

    def test_damaged_and_unsuitable_files_end_with_3(self) -> None:
        broken = self.dir / "broken.safetensors"
        broken.write_bytes((self.dir / "m.safetensors").read_bytes()[:-5])
        self.assertIn("broken.safetensors", self.eval("broken", rc=3).stderr)
        message = self.generate("m", classifier="denoiser.safetensors", rc=3).stderr
        self.assertIn("denoiser.safetensors: was trained as denoise, expected a classifier", message)
        self.generate("m", classifier="broken.safetensors", rc=3)
        images = self.dir / "mnist" / "t10k-images-idx3-ubyte"
        images.write_bytes(images.read_bytes()[:-1])
        self.assertIn("t10k-images-idx3-ubyte", self.eval("denoiser", rc=3).stderr)

    def test_missing_files_end_with_4(self) -> None:
        self.eval("no_such_model", rc=4)
        self.generate("m", classifier="no-such-classifier", rc=4)
        self.assertIn("--data nowhere", self.eval("denoiser", data="nowhere", rc=4).stderr)

    def test_a_model_that_answers_with_nan_ends_with_6(self) -> None:
        change_weight(self.dir / "m.safetensors", "out.bias", float("nan"))
        self.assertIn("a pixel is nan", self.generate("m", "--cfg-scales", "1", rc=6).stderr)


if __name__ == "__main__":
    main()
