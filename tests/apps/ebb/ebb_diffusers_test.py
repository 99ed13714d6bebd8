#!/usr/bin/env python3
"""ebb on a model in a directory as diffusers saves it.

Usage: ebb_diffusers_test.py EBB
"""

import json
import shutil
from pathlib import Path

from ebb_case import FAST, EbbTest, main, pixels, png_chunks

DDPM = Path(__file__).resolve().parents[2] / "golden/checkpoints/ddpm"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Directory(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(DDPM, self.dir / "ddpm")

    def size(self, image: str) -> tuple:
        """Width, height and PNG's color type."""
        header = png_chunks(self.dir / image, b"IHDR")[0]
        return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big"), header[9]

    def test_samples_in_color_and_again(self) -> None:
        side = json.loads((DDPM / "unet/config.json").read_text())["sample_size"]
        self.ebb("sample", "--model", "ddpm", *FAST, "-b", "2", "--scale", "1", "-o", "a%d.png")
        self.assertEqual(self.size("a0.png"), (side, side, 2))
        self.assertNotEqual(pixels(self.dir / "a0.png"), pixels(self.dir / "a1.png"))
        self.ebb("rerun", "a1.png", "-o", "again.png")
        self.assertEqual((self.dir / "a1.png").read_bytes(), (self.dir / "again.png").read_bytes())

    def test_another_model_is_noticed_by_rerun(self) -> None:
        self.ebb("sample", "--model", "ddpm", *FAST, "-o", "a.png")
        weights = self.dir / "ddpm/unet/diffusion_pytorch_model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        done = self.ebb("rerun", "a.png", "-o", "b.png", rc=3)
        self.assertIn("was made with another model: ddpm has the SHA-256", done.stderr)

    def test_other_samplers_take_the_same_table(self) -> None:
        for sampler in ("ddim", "dpm++"):
            self.ebb("sample", "--model", "ddpm", "--sampler", sampler, *FAST, "-o", f"{sampler}.png")

    def test_is_found_in_the_hub_cache(self) -> None:
        repository = self.dir / "hub/models--owner--tiny"
        shutil.copytree(DDPM, repository / "snapshots" / COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(COMMIT)
        env = {"HF_HUB_CACHE": str(self.dir / "hub")}
        self.ebb("sample", "--model", "owner/tiny", *FAST, "-o", "a.png", env=env)
        done = self.ebb("sample", "--model", "owner/other", *FAST, "-o", "b.png", env=env, rc=4)
        self.assertIn("owner/other", done.stderr)

    def test_without_a_scheduler_it_is_refused(self) -> None:
        shutil.rmtree(self.dir / "ddpm/scheduler")
        done = self.ebb("sample", "--model", "ddpm", *FAST, "-o", "a.png", rc=3)
        self.assertIn("has no scheduler_config.json", done.stderr)

    def test_a_scheduler_that_is_not_known_is_refused_by_name(self) -> None:
        (self.dir / "ddpm/scheduler/scheduler_config.json").write_text('{"_class_name": "KarrasVeScheduler"}')
        done = self.ebb("sample", "--model", "ddpm", *FAST, "-o", "a.png", rc=3)
        self.assertIn('key "_class_name" is "KarrasVeScheduler"', done.stderr)


if __name__ == "__main__":
    main()
