"""The class UNet's training step and guided sampling step in PyTorch, on a GPU."""

import argparse
import contextlib
import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from baseline_mnist_unet import MnistUNet, ModelConfig
from baseline_timing import (
    CLASS_DROP,
    CLASSES,
    GUIDANCE_SCALE,
    IMAGE_SHAPE,
    TIMESTEPS,
    alpha_bar_table,
)
from torch_gpu_timing import Step, captured

DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16}


@dataclasses.dataclass(frozen=True)
class Variant:
    channels_last: bool
    how: str  # eager, CUDA graph, compile

    def __str__(self) -> str:
        return ("channels_last" if self.channels_last else "contiguous") + ", " + self.how


def variants(args: argparse.Namespace) -> list[Variant]:
    ways = ["eager"]
    if args.device == "cuda":
        ways.append("CUDA graph")
    if not args.no_compile:
        ways.append("compile")
    return [Variant(layout, how) for how in ways for layout in (False, True)]


def prepared(args: argparse.Namespace, variant: Variant) -> tuple[MnistUNet, Callable[..., Tensor]]:
    model = MnistUNet(ModelConfig(conditioning="class", hidden=args.hidden)).to(args.device)
    if variant.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if variant.how != "compile":
        return model, model
    return model, torch.compile(model, mode="reduce-overhead")


def autocast(args: argparse.Namespace, precision: str) -> contextlib.AbstractContextManager:
    if precision not in DTYPES:
        return contextlib.nullcontext()
    return torch.autocast(args.device, DTYPES[precision])


def train(args: argparse.Namespace, variant: Variant, precision: str) -> Step:
    """Gather, noise, forward, backward and Adam: what a step of ebb does too."""
    model, run = prepared(args, variant)
    model.train()
    as_graph = variant.how == "CUDA graph"
    on_gpu = args.device == "cuda"
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=on_gpu)
    alpha_bar = alpha_bar_table().float().to(args.device)
    images = torch.rand(1024, *IMAGE_SHAPE, device=args.device)
    labels = torch.randint(CLASSES, (len(images),), device=args.device)
    n = args.batch_size

    def step() -> Tensor:
        rows = torch.randint(len(images), (n,), device=args.device)
        k = torch.randint(TIMESTEPS, (n,), device=args.device)
        ab = alpha_bar[k].view(n, 1, 1, 1)
        noise = torch.randn(n, *IMAGE_SHAPE, device=args.device)
        x = ab.sqrt() * images[rows] + (1 - ab).sqrt() * noise
        t = ((k + 1) / TIMESTEPS).view(n, 1)
        keep = torch.rand(n, 1, device=args.device) >= CLASS_DROP
        c = F.one_hot(labels[rows], CLASSES) * keep.float()
        optimizer.zero_grad(set_to_none=True)
        with autocast(args, precision):
            loss = F.mse_loss(run(x, t, c).float(), noise)
        loss.backward()
        optimizer.step()
        return loss

    return captured(step) if as_graph else step


def sample(args: argparse.Namespace, variant: Variant, precision: str) -> Step:
    """A guided DDPM step on static images; both branches in one call of the model."""
    model, run = prepared(args, variant)
    model.eval()
    n = args.batch_size
    labels = torch.arange(n, device=args.device) % CLASSES
    c = F.one_hot(labels, CLASSES).float()
    both_c = torch.cat([torch.zeros_like(c), c])
    x = torch.randn(n, *IMAGE_SHAPE, device=args.device)
    k = TIMESTEPS // 2
    t = torch.full((2 * n, 1), k / TIMESTEPS, device=args.device)
    alpha_bar = [1.0, *alpha_bar_table().tolist()]
    ab, ab_next = alpha_bar[k], alpha_bar[k - 1]
    alpha = ab / ab_next
    beta = 1 - alpha

    def step() -> Tensor:
        with torch.no_grad(), autocast(args, precision):
            unconditional, conditional = run(torch.cat([x, x]), t, both_c).float().chunk(2)
            noise = unconditional + GUIDANCE_SCALE * (conditional - unconditional)
            x0 = (x - (1 - ab) ** 0.5 * noise) / ab**0.5
            mean = (ab_next**0.5 * beta * x0 + alpha**0.5 * (1 - ab_next) * x) / (1 - ab)
            return mean + beta**0.5 * torch.randn_like(x)

    return captured(step) if variant.how == "CUDA graph" else step


WORK = {"train": train, "sample": sample}
