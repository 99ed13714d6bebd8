"""Times the assignment's training and sampling loops in PyTorch, f32 on the CPU."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import baseline_env

IMAGE_SHAPE = (1, 28, 28)
CLASSES = 10
TIMESTEPS, BETA_START, BETA_END = 300, 1e-4, 0.02
CLASS_DROP = 0.1  # probability that a training example loses its class
GUIDANCE_SCALE = 5.0


def prepared(model: nn.Module, args: argparse.Namespace) -> Callable[..., Tensor]:
    """The model as the flags ask for it.

    Inputs have one channel, so their contiguous and channels-last forms are the same bytes and
    need no conversion.
    """
    if args.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return torch.compile(model) if args.compile else model


def alpha_bar_table() -> Tensor:
    """alpha_bar[k] of timestep k + 1, float64 [T]."""
    beta = torch.linspace(BETA_START, BETA_END, TIMESTEPS, dtype=torch.float64)
    return torch.cumprod(1 - beta, dim=0)


def time_training(class_model: nn.Module, args: argparse.Namespace) -> None:
    """DDPM training steps. The images are random: the time does not depend on them."""
    model = prepared(class_model.train(), args)
    optimizer = torch.optim.Adam(class_model.parameters(), lr=1e-3, fused=True)
    alpha_bar = alpha_bar_table().float()
    images = torch.rand(1024, *IMAGE_SHAPE)
    labels = torch.randint(CLASSES, (len(images),))
    n = args.batch_size

    def step() -> None:
        rows = torch.randint(len(images), (n,))
        k = torch.randint(TIMESTEPS, (n,))
        ab = alpha_bar[k].view(n, 1, 1, 1)
        noise = torch.randn(n, *IMAGE_SHAPE)
        x = ab.sqrt() * images[rows] + (1 - ab).sqrt() * noise
        t = ((k + 1) / TIMESTEPS).view(n, 1)
        keep = torch.rand(n, 1) >= CLASS_DROP
        c = F.one_hot(labels[rows], CLASSES) * keep.float()
        optimizer.zero_grad()
        loss = F.mse_loss(model(x, t, c), noise)
        loss.backward()
        optimizer.step()

    report("train_step", args, step)


@torch.inference_mode()
def time_sampling(class_model: nn.Module, args: argparse.Namespace) -> None:
    """Guided DDPM sampling steps, from pure noise, of one digit of each class in turn."""
    model = prepared(class_model.eval(), args)
    labels = torch.arange(args.batch_size) % CLASSES
    states = guided_states(model, labels, batched=args.guidance == "batched")
    report("guided_step", args, lambda: next(states), guidance=args.guidance)


@torch.inference_mode()
def draw_digit(model: nn.Module, digit: int, path: Path, channels_last: bool = False) -> None:
    """Draws one digit in all timesteps and writes it as a PGM."""
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    for x in guided_states(model.eval(), torch.tensor([digit]), batched=True):
        image = x
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    path.write_bytes(b"P5 28 28 255\n" + pixels.numpy().tobytes())


def guided_states(model: Callable[..., Tensor], labels: Tensor, batched: bool) -> Iterator[Tensor]:
    """The images after each guided DDPM step from pure noise.

    batched: both branches of a step in one call of the model instead of two.
    """
    n = len(labels)
    c = F.one_hot(labels, CLASSES).float()
    no_class = torch.zeros_like(c)
    alpha_bar = [1.0, *alpha_bar_table().tolist()]
    x = torch.randn(n, *IMAGE_SHAPE)
    for k in range(TIMESTEPS, 0, -1):
        t = torch.full((n, 1), k / TIMESTEPS)
        if batched:
            both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([no_class, c]))
            unconditional, conditional = both.chunk(2)
        else:
            unconditional, conditional = model(x, t, no_class), model(x, t, c)
        noise = unconditional + GUIDANCE_SCALE * (conditional - unconditional)
        ab, ab_next = alpha_bar[k], alpha_bar[k - 1]
        alpha = ab / ab_next
        beta = 1 - alpha
        x0 = (x - (1 - ab) ** 0.5 * noise) / ab**0.5
        mean = (ab_next**0.5 * beta * x0 + alpha**0.5 * (1 - ab_next) * x) / (1 - ab)
        x = mean + beta**0.5 * torch.randn_like(x) if k > 1 else mean
        yield x


def report(
    case: str, args: argparse.Namespace, step: Callable[[], object], **extra: str
) -> None:
    """Runs the warm-up and the measured steps and prints one line of JSON."""
    for _ in range(args.warmup):
        step()
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    line = {
        "peer": "torch",
        "version": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "case": case,
        **extra,
        "hidden": args.hidden,
        "batch_size": args.batch_size,
        "threads": torch.get_num_threads(),
        "channels_last": args.channels_last,
        "compile": args.compile,
        "steps": args.steps,
        "median_step_seconds": statistics.median(seconds),
        "min_step_seconds": min(seconds),
        "peak_rss_mb": baseline_env.peak_rss_mb(),
    }
    print(json.dumps(line), flush=True)
