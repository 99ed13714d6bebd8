"""Checkpoints as PyTorch and diffusers write them: checkpoints/ and checkpoints.safetensors."""

import json
import shutil
from collections import OrderedDict
from collections.abc import Mapping

import diffusers
import torch
from golden_file import FOLDER, MAX_BYTES, write_golden

ROOT = FOLDER / "checkpoints"
SEED = 11

# One level with attention and one without; every size is small and odd in its own way.
UNET = {
    "sample_size": 8,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 1,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4,
    "attention_head_dim": 8,
}


def state_dict() -> "OrderedDict[str, torch.Tensor]":
    """Every type that is loaded, views with strides and offsets, and a shared storage."""
    generator = torch.Generator().manual_seed(SEED)
    base = torch.randn(4, 6, generator=generator)
    conv = torch.randn(2, 3, 3, 3, generator=generator)
    return OrderedDict(
        plain=base,
        transposed=base.t(),
        columns=base[:, 1::2],
        row=base[2],
        channels_last=conv.to(memory_format=torch.channels_last),
        half=base[:2].half(),
        bf16=torch.randn(5, generator=generator).bfloat16(),
        steps=torch.tensor([3, -4, 1 << 40]),
        scalar=torch.tensor(0.5),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.randn(3, generator=generator)),
        flags=torch.tensor([True, False]),
        double=torch.tensor([0.25], dtype=torch.float64),
    )


def write_pickles(tensors: "OrderedDict[str, torch.Tensor]") -> None:
    torch.save(tensors, ROOT / "state_dict.pth")
    torch.save(tensors, ROOT / "state_dict_legacy.pt", _use_new_zipfile_serialization=False)
    checkpoint = {
        "epoch": 7,
        "lr": 1e-4,
        "loss": torch.tensor(0.125),
        "losses": [0.5, 0.25],
        "optimizer_state_dict": torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict(),
        "model_state_dict": {f"module.{name}": value for name, value in tensors.items()},
    }
    torch.save(checkpoint, ROOT / "training.pt")
    torch.save(torch.nn.Linear(2, 2), ROOT / "whole_module.pth")
    prompts = {"": torch.zeros(1, 2, 3).half(), "a lithograph": torch.ones(1, 2, 3).half()}
    torch.save(prompts, ROOT / "prompt_embeds_dict.pth")


def write_directories() -> None:
    torch.manual_seed(SEED)
    unet = diffusers.UNet2DModel(**UNET)
    scheduler = diffusers.DDPMScheduler()
    diffusers.DDPMPipeline(unet, scheduler).save_pretrained(ROOT / "ddpm")
    unet.save_pretrained(ROOT / "bin", safe_serialization=False)
    # Only the files of a variant, in shards, in half precision.
    unet.half().save_pretrained(ROOT / "fp16_shards", variant="fp16", max_shard_size="24KB")


def write_checkpoint_goldens(versions: Mapping[str, str]) -> None:
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    tensors = state_dict()
    write_pickles(tensors)
    write_directories()
    for path in ROOT.rglob("*"):
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
    expected = {
        name: value.detach().float().contiguous().numpy()
        for name, value in tensors.items()
        if value.is_floating_point()
    }
    write_golden("checkpoints", expected, {"ebb.golden": json.dumps(versions | {"seed": SEED})})
