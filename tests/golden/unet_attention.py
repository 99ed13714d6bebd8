"""The network of testing/unet_attention.h in PyTorch: module names and parameters are the same."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS, SIDE = 3, 8
WIDTH, WIDE = 8, 16
GROUPS, HEADS = 4, 2
TIME_CHANNELS, TIME_WIDTH = 16, 32


def timestep_embedding(t: Tensor, channels: int) -> Tensor:
    """[N] -> [N, channels]: cosines, then sines (Ho et al. 2020, as diffusers with
    flip_sin_to_cos=True and downscale_freq_shift=0)."""
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float64, device=t.device)
    angles = t[:, None].double() * torch.exp(-math.log(10000.0) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(TIME_CHANNELS, TIME_WIDTH)
        self.linear_2 = nn.Linear(TIME_WIDTH, TIME_WIDTH)

    def forward(self, t: Tensor) -> Tensor:
        embedding = timestep_embedding(t, TIME_CHANNELS).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(embedding)))


class ResnetBlock(nn.Module):
    """GroupNorm, SiLU, convolution, twice; the second norm is scaled and shifted by the time."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.time_emb_proj = nn.Linear(TIME_WIDTH, 2 * out)
        self.norm2 = nn.GroupNorm(GROUPS, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.time_emb_proj(F.silu(time))[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    """Pixels attend to pixels; a residual connection around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(GROUPS, channels)
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (
            layer(tokens).unflatten(2, (HEADS, c // HEADS)).transpose(1, 2)
            for layer in (self.to_q, self.to_k, self.to_v)
        )
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.to_out(out).transpose(1, 2).reshape(n, c, height, width)


class FeedForward(nn.Module):
    """LayerNorm over channels, two layers with GELU between; a residual connection around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.linear_1 = nn.Linear(channels, 2 * channels)
        self.linear_2 = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x.permute(0, 2, 3, 1))
        return x + self.linear_2(F.gelu(self.linear_1(h))).permute(0, 3, 1, 2)


class UnetAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.time_embedding = TimeEmbedding()
        self.conv_in = nn.Conv2d(CHANNELS, WIDTH, 3, padding=1)
        self.down_resnet = ResnetBlock(WIDTH, WIDTH)
        self.downsample = nn.Conv2d(WIDTH, WIDE, 3, stride=2, padding=1)
        self.mid_resnet = ResnetBlock(WIDE, WIDE)
        self.attention = Attention(WIDE)
        self.feed_forward = FeedForward(WIDE)
        self.upsample = nn.Conv2d(WIDE, WIDE, 3, padding=1)
        self.up_resnet = ResnetBlock(WIDE + WIDTH, WIDTH)
        self.conv_norm_out = nn.GroupNorm(GROUPS, WIDTH)
        self.conv_out = nn.Conv2d(WIDTH, CHANNELS, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = self.time_embedding(t)
        skip = self.down_resnet(self.conv_in(x), time)
        h = self.mid_resnet(self.downsample(skip), time)
        h = self.feed_forward(self.attention(h))
        h = self.upsample(F.interpolate(h, scale_factor=2, mode="nearest"))
        h = self.up_resnet(torch.cat([h, skip], dim=1), time)
        return self.conv_out(F.silu(self.conv_norm_out(h)))
