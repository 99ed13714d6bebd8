"""Times single convolutions in PyTorch, f32 on the CPU: forward and both gradients."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

Step = Callable[[], object]
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def time_convs(args: argparse.Namespace) -> None:
    """One line of JSON per case and variant.

    The file holds a list of {"case", "pass", "op", "shape"}; shapes as convolution() takes them.
    """
    if args.threads:
        torch.set_num_threads(args.threads)
    for case in json.loads(args.cases.read_text()):
        for name, prepare in variants(case["shape"], case["pass"], torch.float32, "cpu"):
            report(case, name, prepare(), args)


def variants(
    shape: dict, pass_name: str, dtype: torch.dtype, device: str
) -> Iterator[tuple[str, Callable[[], Step]]]:
    """What PyTorch's users call for a shape, by name; each makes its operands when it is called."""
    if shape["side"] == 1 and shape["k"] == 1:
        yield "linear", lambda: linear(shape, pass_name, dtype, device)
        return
    for name, memory_format in FORMATS.items():
        yield (
            name,
            lambda memory_format=memory_format: convolution(
                shape, pass_name, memory_format, dtype, device
            ),
        )


def linear(shape: dict, pass_name: str, dtype: torch.dtype, device: str) -> Step:
    n, c, o = shape["n"], shape["c"], shape["o"]
    x, w, b, dy = (
        torch.randn(*size, device=device, dtype=dtype) for size in ((n, c), (o, c), (o,), (n, o))
    )
    return {
        "forward": lambda: F.linear(x, w, b),
        "input gradient": lambda: dy @ w,
        "weight gradient": lambda: dy.t() @ x,
    }[pass_name]


def convolution(
    shape: dict,
    pass_name: str,
    memory_format: torch.memory_format,
    dtype: torch.dtype,
    device: str,
) -> Step:
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
def report(case: dict, name: str, step: Step, args: argparse.Namespace) -> None:
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
