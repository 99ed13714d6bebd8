"""Times single convolutions in PyTorch, f32 on the CPU: forward and both gradients."""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def time_convs(args: argparse.Namespace) -> None:
    """One line of JSON per case, pass and memory format.

    A case is [name, side, input channels, output channels, kernel, stride, pad, transposed].
    """
    if args.threads:
        torch.set_num_threads(args.threads)
    for case in json.loads(args.cases):
        for name in FORMATS:
            for pass_name, step in passes(case, args.batch_size, FORMATS[name]).items():
                report(case[0], pass_name, name, step, args)


def passes(
    case: list, batch: int, memory_format: torch.memory_format
) -> dict[str, Callable[[], object]]:
    _, side, c, o, kernel, stride, pad, transposed = case
    x = torch.randn(batch, c, side, side).to(memory_format=memory_format)
    shape = (c, o, kernel, kernel) if transposed else (o, c, kernel, kernel)
    w = torch.randn(shape).to(memory_format=memory_format)
    bias = torch.randn(o)
    strides, pads = [stride, stride], [pad, pad]

    def forward() -> Tensor:
        return torch.convolution(x, w, bias, strides, pads, [1, 1], transposed, [0, 0], 1)

    dy = torch.randn_like(forward())

    def backward(mask: list[bool]) -> object:
        return torch.ops.aten.convolution_backward(
            dy, x, w, [o], strides, pads, [1, 1], transposed, [0, 0], 1, mask
        )

    return {
        "forward": forward,
        "input gradient": lambda: backward([True, False, False]),
        "weight gradient": lambda: backward([False, True, False]),
    }


@torch.inference_mode()
def report(
    case: str, pass_name: str, name: str, step: Callable[[], object], args: argparse.Namespace
) -> None:
    seconds = []
    for i in range(1 + args.steps):
        start = time.perf_counter()
        step()
        if i > 0:
            seconds.append(time.perf_counter() - start)
    line = {
        "peer": "torch",
        "version": torch.__version__,
        "case": case,
        "pass": pass_name,
        "format": name,
        "median_step_seconds": statistics.median(seconds),
    }
    print(json.dumps(line), flush=True)
