"""The golden file of a small UNet with GroupNorm and attention, computed by PyTorch on one thread."""

import copy

import torch
import torch.nn.functional as F
from golden_file import write_golden
from network_goldens import ADAM_STEPS, BETAS, EPS, LEARNING_RATE, Named, as_f32, prefixed
from torch import Tensor, nn
from unet_attention import CHANNELS, SIDE, UnetAttention

SEED, BATCH = 21, 2


def write_unet_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    model = UnetAttention()
    randomize_norms(model)
    inputs = {"x": torch.randn(BATCH, CHANNELS, SIDE, SIDE), "t": torch.tensor([17.0, 703.0])}
    target = torch.randn_like(inputs["x"])
    tensors = (
        prefixed("input.", inputs)
        | {"target": target}
        | prefixed("param.", state_of(model))
        | prefixed("adam.", training(model, inputs, target, torch.float32))
        | prefixed("adam64.", training(model, inputs, target, torch.float64))
    )
    adam = {"lr": LEARNING_RATE, "betas": BETAS, "eps": EPS}
    metadata = {"ebb.golden": {"seed": SEED, "adam": adam, **versions}}
    write_golden("unet_attention", {k: as_f32(v) for k, v in tensors.items()}, metadata)


def randomize_norms(model: nn.Module) -> None:
    """PyTorch's initial scale 1 and shift 0 would hide errors in either."""
    for module in model.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)


def training(start: UnetAttention, inputs: Named, target: Tensor, dtype: torch.dtype) -> Named:
    """Adam steps on one batch: output and gradients of the first, all losses, the last state."""
    model = copy.deepcopy(start).to(dtype)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=EPS, foreach=False
    )
    x, t, losses, first = inputs["x"].to(dtype), inputs["t"], [], {}
    for step in range(ADAM_STEPS):
        optimizer.zero_grad()
        output = model(x, t)
        loss = F.mse_loss(output, target.to(dtype))
        loss.backward()
        if step == 0:
            gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
            first = {"output": output.detach()} | prefixed("grad.", gradients)
        optimizer.step()
        losses.append(loss.detach())
    return first | {"losses": torch.stack(losses)} | prefixed("param.", state_of(model))


def state_of(model: nn.Module) -> Named:
    return {name: p.detach().clone() for name, p in model.named_parameters()}
