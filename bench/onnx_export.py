"""Writes the class UNet and its guided sampling step as ONNX, and what PyTorch answers."""

import contextlib
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from baseline_mnist_unet import IMAGE_SHAPE, MnistUNet
from onnx_engines import CHECK, CLASSES, GRAPH, GUIDANCE_SCALE, NETWORK, SHARED

OPSET = 20  # the first with Gelu as one operator
CHECKED = 20  # examples in the file of PyTorch's answers


class GuidedStep(nn.Module):
    """A whole step as one graph: both branches in one batch, guidance, the sampler's update."""

    def __init__(self, network: MnistUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, t: Tensor, c: Tensor, noise: Tensor, factors: Tensor) -> Tensor:
        """x and noise [N, 1, 28, 28], t [N, 1], c [N, classes]; factors of x, prediction, noise."""
        unconditional, conditional = self.branches(x, t, torch.cat([torch.zeros_like(c), c]))
        prediction = unconditional + GUIDANCE_SCALE * (conditional - unconditional)
        return factors[0] * x + factors[1] * prediction + factors[2] * noise

    def branches(self, x: Tensor, t: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """c [2N, classes]."""
        both = self.network(twice(x), twice(t), c)
        n = x.shape[0]
        return both[:n], both[n:]


class SharedGuidedStep(GuidedStep):
    """The same, with all that does not depend on the class computed once for both branches."""

    def branches(self, x: Tensor, t: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        net = self.network
        s0 = net.init_conv(x)
        s1 = net.down1(s0)
        s2 = net.down2(s1)
        z = net.unflatten(net.flatten(s2))
        z = net.condition(twice(z), twice(net.time1(t)), net.class1(c))
        u1 = net.up1(torch.cat([twice(s2), z], dim=1))
        u1 = net.condition(u1, twice(net.time2(t)), net.class2(c))
        u2 = net.up2(torch.cat([twice(s1), u1], dim=1))
        both = net.out(net.out_conv(torch.cat([twice(s0), u2], dim=1)))
        n = x.shape[0]
        return both[:n], both[n:]


def twice(x: Tensor) -> Tensor:
    return torch.cat([x, x])


def export_all(network: MnistUNet, directory: Path) -> None:
    """The files that onnx_engines.py reads; the batch is free in all of them."""
    if network.config.conditioning != "class":
        raise ValueError(f"conditioning is {network.config.conditioning!r}, expected 'class'")
    network = network.eval()
    n = 3  # the tracer takes a size of 0 or 1 for a constant
    inputs = {"x": torch.randn(n, *IMAGE_SHAPE), "t": torch.rand(n, 1), "c": torch.eye(CLASSES)[:n]}
    step_inputs = {**inputs, "noise": torch.randn(n, *IMAGE_SHAPE), "factors": torch.rand(3)}
    export(network, inputs, directory / NETWORK)
    export(GuidedStep(network), step_inputs, directory / GRAPH)
    export(SharedGuidedStep(network), step_inputs, directory / SHARED)
    write_check(network, directory / CHECK)


def export(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> None:
    batch = torch.export.Dim("n", min=1, max=4096)
    shapes = {name: {} if name == "factors" else {0: batch} for name in inputs}
    # The exporter talks: of its progress, of torchvision and of the name of the batch.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            f=path,
            input_names=list(inputs),
            output_names=["y"],
            dynamic_shapes=shapes,
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


@torch.inference_mode()
def write_check(network: MnistUNet, path: Path) -> None:
    """Inputs of a guided step, one time for all examples, and the guided prediction."""
    x, t = torch.randn(CHECKED, *IMAGE_SHAPE), torch.full((CHECKED, 1), 0.5)
    c = torch.eye(CLASSES)[torch.arange(CHECKED) % CLASSES]
    unconditional, conditional = network(x, t, torch.zeros_like(c)), network(x, t, c)
    prediction = unconditional + GUIDANCE_SCALE * (conditional - unconditional)
    tensors = {"x": x, "t": t, "c": c, "prediction": prediction}
    np.savez(path, **{name: tensor.numpy() for name, tensor in tensors.items()})
