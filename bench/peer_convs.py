"""Times single convolutions in PyTorch, f32 on the CPU: forward and both gradients."""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def time_convs(args: argparse.Namespace) -> None:
    """One line of JSON per case and memory format.

    The file holds a list of {"case", "pass", "op", "shape"}; shapes as convolution() takes them.
    """
    if args.threads:
        torch.set_num_threads(args.threads)
    for case in json.loads(args.cases.read_text()):
        for name in FORMATS:
            step = convolution(case["shape"], case["pass"], FORMATS[name])
            report(case, name, step, args)


def convolution(
    shape: dict,
    pass_name: str,
    memory_format: torch.memory_format,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Callable[[], object]:
    """One pass on random operands; shape: n, side, c, o, k, stride, pad, transposed."""
    n, side, c, o, k = (shape[key] for key in ("n", "side", "c", "o", "k"))
    transposed = shape["transposed"]

    def random(*size: int) -> Tensor:
        tensor = torch.randn(*size, device=device, dtype=dtype)
        return tensor.to(memory_format=memory_format) if tensor.dim() == 4 else tensor

    x = random(n, c, side, side)
    w = random(c, o, k, k) if transposed else random(o, c, k, k)
    bias = random(o)
    strides, pads = [shape["stride"]] * 2, [shape["pad"]] * 2
    rest = (strides, pads, [1, 1], transposed, [0, 0], 1)

    def forward() -> Tensor:
        return torch.convolution(x, w, bias, *rest)

    if pass_name == "forward":
        return forward
    dy = torch.randn_like(forward())
    mask = [pass_name == "input gradient", pass_name == "weight gradient", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, w, [o], *rest, mask)


@torch.inference_mode()
def report(case: dict, name: str, step: Callable[[], object], args: argparse.Namespace) -> None:
    seconds = []
    for i in range(1 + args.steps):
        start = time.perf_counter()
        step()
        if i > 0:
            seconds.append(time.perf_counter() - start)
    line = {
        "peer": "torch",
        "version": torch.__version__,
        "case": case["case"],
        "pass": case["pass"],
        "precision": "f32",
        "variant": name,
        "median_step_seconds": statistics.median(seconds),
    }
    print(json.dumps(line), flush=True)
