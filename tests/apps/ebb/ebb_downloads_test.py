#!/usr/bin/env python3
"""Directories of diffusers whose download went wrong: one clear line each, from sample and inspect.

Usage: ebb_downloads_test.py EBB
"""

import json
import shutil

from ebb_case import FAST, EbbTest, main
from model_files import GOLDEN

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1234567\n"
HTML = "<!DOCTYPE html><html><body>404</body></html>"
WEIGHTS = "ddpm/unet/diffusion_pytorch_model.safetensors"
CONFIG, SCHEDULER, INDEX = "ddpm/unet/config.json", "ddpm/scheduler/scheduler_config.json", "ddpm/model_index.json"


class Downloads(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        for source in ("checkpoints/ddpm", "pipelines/if_1", "pipelines/if_2"):
            shutil.copytree(GOLDEN / source, self.dir / source.split("/")[1])

    def refused(self, *parts: str, model: str = "ddpm", inspect: bool = True) -> None:
        """Both commands end with 3 and say all of this in their line."""
        for words in (["sample", "--model", model, *FAST, "-o", "a.png"], ["inspect", model])[: 1 + inspect]:
            done = self.ebb(*words, rc=3)
            for part in parts:
                self.assertIn(part, done.stderr)
            self.assertLess(len(done.stderr), 2000)
        self.assertFalse((self.dir / "a.png").exists())

    def test_lfs_pointers(self) -> None:
        for file in (WEIGHTS, CONFIG):
            content = (self.dir / file).read_bytes()
            (self.dir / file).write_text(LFS)
            self.refused(f"error: {file}: this is a Git LFS pointer", "has 1234567 bytes. Run: git lfs pull")
            (self.dir / file).write_bytes(content)

    def test_web_pages(self) -> None:
        for file in (WEIGHTS, CONFIG, INDEX, SCHEDULER):
            content = (self.dir / file).read_bytes()
            (self.dir / file).write_text(HTML)
            self.refused(f"error: {file}: this is an HTML or XML page", "look at it in a browser", inspect=file != SCHEDULER)
            (self.dir / file).write_bytes(content)

    def test_missing_files(self) -> None:
        (self.dir / CONFIG).unlink()
        self.refused("unet (UNet2DModel) is missing, looked for unet/config.json")
        shutil.copy(GOLDEN / "checkpoints/ddpm/unet/config.json", self.dir / CONFIG)
        (self.dir / WEIGHTS).unlink()
        self.refused("ddpm/unet: no weights, looked for diffusion_pytorch_model.safetensors")

    def test_half_a_file(self) -> None:
        content = (self.dir / WEIGHTS).read_bytes()
        for size in (0, 5000, len(content) - 1):
            (self.dir / WEIGHTS).write_bytes(content[:size])
            self.refused(f"error: {WEIGHTS}: ")

    def test_half_a_shard(self) -> None:
        unet = self.dir / "ddpm/unet"
        shutil.rmtree(unet)
        shutil.copytree(GOLDEN / "checkpoints/fp16_shards", unet)
        self.ebb("sample", "--model", "ddpm", *FAST, "-o", "whole.png")
        shard = unet / "diffusion_pytorch_model.fp16-00002-of-00004.safetensors"
        content = shard.read_bytes()
        shard.write_bytes(content[: len(content) // 2])
        self.refused(shard.name)
        shard.unlink()
        self.refused(shard.name, "is missing")

    def test_the_wrong_class(self) -> None:
        config = json.loads((self.dir / CONFIG).read_text())
        for name in ("AutoencoderKL", "T5EncoderModel"):
            (self.dir / CONFIG).write_text(json.dumps(config | {"_class_name": name}))
            self.refused(f'{CONFIG}: key "_class_name" is "{name}", expected UNet2DModel or UNet2DConditionModel')

    def test_the_weights_of_another_model(self) -> None:
        shutil.copy(self.dir / "if_1/unet/config.json", self.dir / CONFIG)
        self.refused(f"error: {WEIGHTS}: its tensors are not those", "and 54 more; ", "Use the config.json that came with them.",
                     inspect=False)  # fmt: skip

    def test_stages_are_not_exchanged(self) -> None:
        words = ["--embeddings", GOLDEN / "pipelines/embeddings.safetensors", "-o", "a.png"]
        for command in (["sample"], ["edit", "-i", "x.png"], ["anagram", "--view", "flip", "--prompts", "a", "b"]):
            self.assertIn("enlarges images", self.ebb(*command, "--model", "if_2", *words, rc=2).stderr)
        self.assertIn("it enlarges none", self.ebb("upscale", "--model", "if_1", "x.png", *words, rc=2).stderr)

    def test_several_variants(self) -> None:
        for variant in ("fp16", "ema"):
            shutil.copy(self.dir / WEIGHTS, self.dir / f"ddpm/unet/diffusion_pytorch_model.{variant}.safetensors")
        (self.dir / WEIGHTS).unlink()
        done = self.ebb("sample", "--model", "ddpm", *FAST, "-o", "a.png", rc=2)
        self.assertIn("variants ema, fp16 and no plain file. Choose one with --variant", done.stderr)


if __name__ == "__main__":
    main()
