"""The assignment's networks as students write them: other names, another order of modules, of concatenations, no
biases in front of a BatchNorm. state_dicts/NAME.pth is what torch.save(model.state_dict()) writes,
state_dicts/NAME.safetensors holds inputs and the output, for `ebb compare`."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from golden_file import write_golden
from torch import Tensor, nn

HIDDEN = 4
BATCH = 3
FOLDER = Path(__file__).resolve().parent / "state_dicts"


class Step(nn.Module):
    """Convolution, BatchNorm, GELU."""

    def __init__(self, layer: nn.Module, channels: int):
        super().__init__()
        self.op = layer
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.norm(self.op(x)))


def same(i: int, o: int, bias: bool = True) -> Step:
    return Step(nn.Conv2d(i, o, 3, 1, 1, bias=bias), o)


def half(i: int, o: int) -> Step:
    return Step(nn.Conv2d(i, o, 3, 2, 1), o)


def double(i: int, o: int) -> Step:
    return Step(nn.ConvTranspose2d(i, o, 4, 2, 1), o)


def pair(i: int, o: int, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(same(i, o, bias), same(o, o, bias))


def embed(i: int, o: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(i, o), nn.GELU(), nn.Linear(o, o))


class StudentUNet(nn.Module):
    """conditioning: "none", "time" or "class"."""

    def __init__(self, conditioning: str, *, multiplies: bool, decoder_first: bool, bias: bool):
        super().__init__()
        d = HIDDEN
        self.multiplies, self.decoder_first = multiplies, decoder_first
        if conditioning == "class":  # created before everything else
            self.label_a, self.label_b = embed(10, 2 * d), embed(10, d)
        if conditioning != "none":
            self.clock_a, self.clock_b = embed(1, 2 * d), embed(1, d)
        self.stem = pair(1, d, bias)
        self.enc = nn.ModuleList(
            [nn.Sequential(half(d, d), pair(d, d)), nn.Sequential(half(d, 2 * d), pair(2 * d, 2 * d))]
        )
        self.bottleneck = Step(nn.ConvTranspose2d(2 * d, 2 * d, 7, 7, 0), 2 * d)
        self.dec = nn.ModuleList(
            [nn.Sequential(double(4 * d, d), pair(d, d)), nn.Sequential(double(2 * d, d), pair(d, d))]
        )
        self.head = nn.ModuleDict({"mix": pair(2 * d, d), "to_image": nn.Conv2d(d, 1, 3, 1, 1)})

    def join(self, skip: Tensor, h: Tensor) -> Tensor:
        return torch.cat([h, skip] if self.decoder_first else [skip, h], dim=1)

    def condition(self, h: Tensor, level: str, t: Tensor | None, c: Tensor | None) -> Tensor:
        if t is None:
            return h
        time = getattr(self, f"clock_{level}")(t)[:, :, None, None]
        if c is None:
            return h * time if self.multiplies else h + time
        return h * getattr(self, f"label_{level}")(c)[:, :, None, None] + time

    def forward(self, x: Tensor, t: Tensor | None = None, c: Tensor | None = None) -> Tensor:
        e0 = self.stem(x)
        e1 = self.enc[0](e0)
        e2 = self.enc[1](e1)
        h = self.bottleneck(F.gelu(F.avg_pool2d(e2, 7)))
        h = self.condition(h, "a", t, c)
        h = self.condition(self.dec[0](self.join(e2, h)), "b", t, c)
        h = self.dec[1](self.join(e1, h))
        return self.head["to_image"](self.head["mix"](self.join(e0, h)))


CASES = {
    "class_decoder_first": ("class", {"multiplies": False, "decoder_first": True, "bias": False}),
    "class_ddpm": ("class", {"multiplies": False, "decoder_first": False, "bias": True}),
    "time_flow": ("time", {"multiplies": True, "decoder_first": False, "bias": True}),
    "denoiser": ("none", {"multiplies": False, "decoder_first": False, "bias": True}),
}


def write_state_dict_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    for seed, (name, (conditioning, settings)) in enumerate(CASES.items(), start=71):
        torch.manual_seed(seed)
        model = StudentUNet(conditioning, **settings).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
                nn.init.uniform_(module.running_mean, -0.3, 0.3)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
        inputs = {"x": torch.randn(BATCH, 1, 28, 28)}
        if conditioning != "none":
            inputs["t"] = torch.rand(BATCH, 1)
        if conditioning == "class":
            inputs["c"] = F.one_hot(torch.tensor([3, 7, 0]), 10).float()
        with torch.no_grad():
            output = model(**inputs)
        torch.save(
            model.state_dict(),
            FOLDER / f"{name}.pth",
            _use_new_zipfile_serialization=name != "time_flow",
        )
        tensors = {f"input.{key}": value.numpy() for key, value in inputs.items()}
        tensors["output"] = np.ascontiguousarray(output.numpy())
        write_golden(f"state_dicts/{name}", tensors, {"ebb.golden": {"seed": seed, **versions}})
