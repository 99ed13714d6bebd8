"""The small networks of the toolbox goldens: two trained for minutes, one random.

Trained networks keep images in range, so that the pictures of the programs show what they do.
"""

import dataclasses
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from golden_file import FOLDER, write_golden
from baseline_mnist_unet import MnistUNet, ModelConfig, load_model, tensors_to_save
from sampler_goldens import alpha_bar_table
from torch import Tensor, nn

CLASSES = 10
HIDDEN = 8
STEPS, BATCH, LEARNING_RATE = 500, 64, 3e-3
DROP = 0.1  # of the classes, for guidance

DDPM = {"type": "ddpm", "timesteps": 300, "beta_start": 1e-4, "beta_end": 0.02}
FLOW = {"type": "flow"}

Noised = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def write_trained_networks(versions: dict[str, str]) -> None:
    """Model files of ebb."""
    torch.set_num_threads(1)
    trainings = (
        ("toolbox_ddpm", DDPM, ddpm_noised(alpha_bar_table("linear300"))),
        ("toolbox_flow", FLOW, flow_noised),
    )
    for seed, (name, objective, noised) in enumerate(trainings, start=8):
        model = trained_network(noised, seed)
        metadata = {
            "format": "pt",
            "ebb.format": "1",
            "ebb.golden": {"seed": seed, **versions},
            "ebb.model": dataclasses.asdict(model.config),
            "ebb.objective": objective,
        }
        tensors = {key: value.numpy() for key, value in tensors_to_save(model).items()}
        write_golden(name, tensors, metadata)


def saved_network(name: str) -> MnistUNet:
    return load_model(FOLDER / f"{name}.safetensors").eval()


class TinyRgb(nn.Module):
    """Three channels in, noise and variance code out, as DeepFloyd IF; random.

    Its text in C++ is in tests/diffusion/toolbox_golden_test.cc.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.time = nn.Linear(1, 8)
        self.label = nn.Linear(CLASSES, 8)
        self.conv2 = nn.Conv2d(8, 6, 3, padding=1)
        with torch.no_grad():  # classes and pixels shall matter
            self.label.weight.mul_(4)
            self.conv1.weight.mul_(2)
            self.conv2.weight.mul_(2)

    def forward(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        h = self.conv1(x) + self.time(t)[:, :, None, None]
        return self.conv2(F.gelu(h * self.label(c)[:, :, None, None]))


def strokes(labels: Tensor) -> Tensor:
    """[N, 1, 28, 28] in [0, 1]: a soft stroke whose direction and place belong to the class."""
    n = len(labels)
    angle = labels * math.pi / CLASSES + 0.1 * torch.randn(n)
    along = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    centre = 13.5 + 5 * torch.stack([along[:, 1], -along[:, 0]], dim=1) + torch.randn(n, 2)
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    dx = columns[None] - centre[:, 0, None, None]
    dy = rows[None] - centre[:, 1, None, None]
    lengthwise = dx * along[:, 0, None, None] + dy * along[:, 1, None, None]
    across = dy * along[:, 0, None, None] - dx * along[:, 1, None, None]
    ink = torch.exp(-((across / 2) ** 2)) * torch.sigmoid(9 - lengthwise.abs())
    return ink[:, None]


def ddpm_noised(alpha_bar: Tensor) -> Noised:
    """x_t, t and the noise as the target."""
    table = alpha_bar.float()

    def noised(clean: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        k = torch.randint(len(table), (len(clean),))
        signal = table[k][:, None, None, None]
        x = torch.sqrt(signal) * clean + torch.sqrt(1 - signal) * noise
        return x, ((k + 1) / len(table))[:, None], noise

    return noised


def flow_noised(clean: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x_t between noise at t = 0 and data at t = 1, and the velocity as the target."""
    t = torch.rand(len(clean), 1)
    share = t[:, :, None, None]
    return (1 - share) * noise + share * clean, t, clean - noise


def trained_network(noised: Noised, seed: int) -> MnistUNet:
    torch.manual_seed(seed)
    model = MnistUNet(ModelConfig(conditioning="class", hidden=HIDDEN))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, STEPS)
    for _ in range(STEPS):
        labels = torch.randint(CLASSES, (BATCH,))
        c = F.one_hot(labels, CLASSES) * (torch.rand(BATCH, 1) >= DROP)
        x, t, target = noised(strokes(labels), torch.randn(BATCH, 1, 28, 28))
        loss = F.mse_loss(model(x, t, c.float()), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    print(f"trained: loss {loss.item():.4f}")
    return model.eval()
