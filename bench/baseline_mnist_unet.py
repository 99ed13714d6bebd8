"""The counterpart of nn/unet_mnist in PyTorch, and ebb's model files from Python.

Attribute names are the parameter names of the files. Needs torch alone, and safetensors to read
and write files: copy this file to read a trained model into a PyTorch program.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGE_SHAPE = (1, 28, 28)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The value of "ebb.model" in a model file's metadata."""

    name: str = "mnist_unet"
    conditioning: str = "none"  # none, time, class
    time_fusion: str = "add"  # add, multiply: how time alone enters
    hidden: int = 64
    classes: int = 10

    def __post_init__(self) -> None:
        if self.name != "mnist_unet":
            raise ValueError(f"name is {self.name!r}, expected 'mnist_unet'")
        if self.conditioning not in ("none", "time", "class"):
            raise ValueError(f"conditioning is {self.conditioning!r}, expected none, time or class")
        if self.time_fusion not in ("add", "multiply"):
            raise ValueError(f"time_fusion is {self.time_fusion!r}, expected add or multiply")

    @property
    def has_time(self) -> bool:
        return self.conditioning != "none"

    @property
    def has_class(self) -> bool:
        return self.conditioning == "class"


class ConvNormGelu(nn.Module):
    """A convolution, BatchNorm and exact GELU."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.bn(self.conv(x)))


class Conv(ConvNormGelu):
    """Keeps H and W."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(nn.Conv2d(c_in, c_out, kernel_size=3, stride=1, padding=1))


class DownConv(ConvNormGelu):
    """Halves H and W."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(nn.Conv2d(c_in, c_out, kernel_size=3, stride=2, padding=1))


class UpConv(ConvNormGelu):
    """Doubles H and W."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(nn.ConvTranspose2d(c_in, c_out, kernel_size=4, stride=2, padding=1))


class Unflatten(ConvNormGelu):
    """[N, C, 1, 1] -> [N, C, 7, 7]."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.ConvTranspose2d(channels, channels, kernel_size=7, stride=7))


class Flatten(nn.Module):
    """[N, C, 7, 7] -> [N, C, 1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(F.avg_pool2d(x, kernel_size=7))


class ConvBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv1 = Conv(c_in, c_out)
        self.conv2 = Conv(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class DownBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.down = DownConv(c_in, c_out)
        self.block = ConvBlock(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.down(x))


class UpBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.up = UpConv(c_in, c_out)
        self.block = ConvBlock(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.up(x))


class FCBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(c_in, c_out)
        self.fc2 = nn.Linear(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class MnistUNet(nn.Module):
    """The assignment's UNet: unconditional, or conditioned on time, or on time and class."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d = config.hidden
        self.config = config
        self.init_conv = ConvBlock(1, d)
        self.down1 = DownBlock(d, d)
        self.down2 = DownBlock(d, 2 * d)
        self.flatten = Flatten()
        self.unflatten = Unflatten(2 * d)
        self.up1 = UpBlock(4 * d, d)
        self.up2 = UpBlock(2 * d, d)
        self.out_conv = ConvBlock(2 * d, d)
        self.out = nn.Conv2d(d, 1, kernel_size=3, stride=1, padding=1)
        if config.has_time:
            self.time1 = FCBlock(1, 2 * d)
            self.time2 = FCBlock(1, d)
        if config.has_class:
            self.class1 = FCBlock(config.classes, 2 * d)
            self.class2 = FCBlock(config.classes, d)

    def forward(self, x: Tensor, t: Tensor | None = None, c: Tensor | None = None) -> Tensor:
        """x [N, 1, 28, 28], t [N, 1] in [0, 1], c [N, classes] one-hot or zero."""
        assert x.shape[1:] == IMAGE_SHAPE, f"x is {tuple(x.shape)}, not [N, 1, 28, 28]"
        s0 = self.init_conv(x)  # [N,  D, 28, 28]
        s1 = self.down1(s0)  # [N,  D, 14, 14]
        s2 = self.down2(s1)  # [N, 2D,  7,  7]
        z = self.unflatten(self.flatten(s2))  # [N, 2D,  7,  7]
        if self.config.has_time:
            class1 = self.class1(c) if self.config.has_class else None
            z = self.condition(z, self.time1(t), class1)
        u1 = self.up1(torch.cat([s2, z], dim=1))  # [N,  D, 14, 14]
        if self.config.has_time:
            class2 = self.class2(c) if self.config.has_class else None
            u1 = self.condition(u1, self.time2(t), class2)
        u2 = self.up2(torch.cat([s1, u1], dim=1))  # [N,  D, 28, 28]
        return self.out(self.out_conv(torch.cat([s0, u2], dim=1)))

    def condition(self, h: Tensor, time: Tensor, label: Tensor | None) -> Tensor:
        """h [N, C, H, W] under the embeddings time [N, C] and, with a class, label [N, C]."""
        time = time[:, :, None, None]
        if label is not None:
            return label[:, :, None, None] * h + time
        return h * time if self.config.time_fusion == "multiply" else h + time


# The modules whose outputs `ebb compare` knows; `out` is called "output" there.
LAYERS = (
    "init_conv",
    "down1",
    "down2",
    "flatten",
    "unflatten",
    "time1",
    "class1",
    "up1",
    "time2",
    "class2",
    "up2",
    "out_conv",
    "out",
)


@contextlib.contextmanager
def captured_layers(
    model: nn.Module, layers: Collection[str] = LAYERS, last: str = "out"
) -> Iterator[dict[str, Tensor]]:
    """Collects the output of every module of `layers` that the model has, while it runs."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            outputs[name] = output.detach().clone()

        return hook

    handles = [
        module.register_forward_hook(keep("output" if name == last else name))
        for name, module in model.named_children()
        if name in layers
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def random_inputs(config: ModelConfig, batch: int) -> dict[str, Tensor]:
    """x, t, c as the model takes them. With several examples the last one has no class."""
    inputs = {"x": torch.randn(batch, *IMAGE_SHAPE)}
    if config.has_time:
        inputs["t"] = torch.rand(batch, 1)
    if config.has_class:
        labels = torch.randint(config.classes, (batch,))
        inputs["c"] = F.one_hot(labels, config.classes).float()
        inputs["c"][1:][-1:] = 0
    return inputs


def tensors_to_save(model: nn.Module) -> dict[str, Tensor]:
    """The state dict without BatchNorm's batch counters, which no computation uses."""
    return {
        name: value
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def save_model(path: Path, model: MnistUNet, objective: dict[str, object]) -> None:
    from safetensors.torch import save_file

    metadata = {
        "format": "pt",
        "ebb.format": "1",
        "ebb.model": json.dumps(dataclasses.asdict(model.config)),
        "ebb.objective": json.dumps(objective),
    }
    save_file(tensors_to_save(model), path, metadata)


def load_model(path: Path) -> MnistUNet:
    """The file's parameters and the network's are the same set; raises ValueError if not."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path}: {error}") from error
    if "ebb.model" not in metadata:
        raise ValueError(f"{path}: no 'ebb.model' in its metadata, so it is no model of ebb")
    try:
        model = MnistUNet(ModelConfig(**json.loads(metadata["ebb.model"])))
        model.load_state_dict(tensors, strict=True)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path}: {error}") from error
    return model
