"""Golden files of AdamW steps with the hybrid loss of Nichol & Dhariwal 2021, on diffusers' UNets of DeepFloyd IF."""

import math

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers_goldens import BATCH, CONDITIONAL, OWN_KEYS, SEED, SIDE, TRAINING_STEPS, output_of, random_inputs
from golden_file import write_golden
from network_goldens import BETAS, EPS, LEARNING_RATE, Named, as_f32, prefixed
from torch import Tensor, nn
from unet_goldens import randomize_norms, state_of

STAGES = ("if_stage_1", "if_stage_2")
TIMESTEPS = (0, 703)  # the first step has a likelihood, the others a divergence
WEIGHT_DECAY, CLIP_NORM, VLB_WEIGHT = 0.1, 0.5, 1.0


class Diffusion:
    """The tables of their GaussianDiffusion with a squared cosine, in f64."""

    def __init__(self) -> None:
        betas = DDPMScheduler(beta_schedule="squaredcos_cap_v2").betas.double()
        alphas = 1 - betas
        self.bar = alphas.cumprod(0)
        before = torch.cat([torch.ones(1).double(), self.bar[:-1]])
        variance = betas * (1 - before) / (1 - self.bar)
        self.min_log = torch.log(torch.cat([variance[1:2], variance[1:]]))
        self.max_log = torch.log(betas)
        self.of_start = betas * before.sqrt() / (1 - self.bar)
        self.of_state = (1 - before) * alphas.sqrt() / (1 - self.bar)

    def at(self, table: Tensor, t: Tensor) -> Tensor:
        return table[t][:, None, None, None]

    def noisy(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        bar = self.at(self.bar, t)
        return bar.sqrt() * x0 + (1 - bar).sqrt() * noise

    def loss(self, output: Tensor, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        predicted, code = output.chunk(2, dim=1)
        bar, x_t = self.at(self.bar, t), self.noisy(x0, noise, t)
        start = (x_t - (1 - bar).sqrt() * predicted.detach()) / bar.sqrt()
        mean = self.at(self.of_start, t) * start + self.at(self.of_state, t) * x_t
        true_mean = self.at(self.of_start, t) * x0 + self.at(self.of_state, t) * x_t
        share = (code + 1) / 2
        least = self.at(self.min_log, t)
        log_variance = share * self.at(self.max_log, t) + (1 - share) * least
        divergence = 0.5 * (
            log_variance - least - 1 + (least - log_variance).exp() + (true_mean - mean) ** 2 * (-log_variance).exp()
        )
        likelihood = level_likelihood(x0, mean, log_variance)
        bits = torch.where((t == 0)[:, None, None, None], -likelihood, divergence) / math.log(2)
        return ((predicted - noise) ** 2).mean() + VLB_WEIGHT * bits.mean()

    def steps(self, t: Tensor) -> Tensor:
        """[N, 4] as ebb's loss takes them: bounds, and how far an error of the noise moves the mean."""
        gap = self.of_start * ((1 - self.bar) / self.bar).sqrt()
        return torch.stack([self.min_log[t], self.max_log[t], gap[t], (t == 0).double()], dim=1)


def normal_below(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def level_likelihood(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    inverse = (-0.5 * log_variance).exp()
    above, below = normal_below(inverse * (x - mean + 1 / 255)), normal_below(inverse * (x - mean - 1 / 255))
    logs = torch.where(
        x > 0.999, (1 - below).clamp(min=1e-12).log(), (above - below).clamp(min=1e-12).log()
    )
    return torch.where(x < -0.999, above.clamp(min=1e-12).log(), logs)


def write_training_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in STAGES:
        write_training(name, versions)


def write_training(name: str, versions: dict[str, str]) -> None:
    config = CONDITIONAL[name]
    torch.manual_seed(SEED)
    model = UNet2DConditionModel(**{key: value for key, value in config.items() if key not in OWN_KEYS})
    randomize_norms(model)  # the parameters are those of diffusers_<name>
    inputs = random_inputs(model, config)
    x0 = (torch.rand(BATCH, 3, SIDE, SIDE) * 2.2 - 1.1).clamp(-1, 1).mul(127.5).round().div(127.5).double()
    noise, t = torch.randn(BATCH, 3, SIDE, SIDE), torch.tensor(TIMESTEPS)
    diffusion = Diffusion()
    inputs["timestep"] = t.float()
    inputs["sample"] = torch.cat([diffusion.noisy(x0, noise.double(), t).float(), inputs["sample"][:, 3:]], dim=1)
    double = model.double()
    double.time_proj.register_forward_hook(lambda _module, _inputs, output: output.double())
    results = training(double, inputs, lambda output: diffusion.loss(output, x0, noise.double(), t))
    tensors = prefixed("input.", inputs) | results
    tensors |= {"images": x0, "noise": noise, "steps": diffusion.steps(t)}
    adam = {"lr": LEARNING_RATE, "betas": BETAS, "eps": EPS, "weight_decay": WEIGHT_DECAY, "clip_norm": CLIP_NORM}
    metadata = {"ebb.golden": {"seed": SEED, "adamw": adam, **versions}}
    arrays = {k: as_f32(v.contiguous()) for k, v in tensors.items()}
    write_golden(f"training_{name}", arrays, metadata)


def training(model: nn.Module, inputs: Named, loss_of) -> Named:
    """Clipped AdamW steps on one batch: gradients of the first, all losses, the last state."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, foreach=False
    )
    losses, norms, gradients = [], [], {}
    for step in range(TRAINING_STEPS):
        optimizer.zero_grad()
        loss = loss_of(output_of(model, inputs))
        loss.backward()
        if step == 0:
            gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM))
        optimizer.step()
        losses.append(loss.detach())
    return (
        prefixed("grad.", gradients)
        | prefixed("param.", state_of(model))
        | {"losses": torch.stack(losses), "norms": torch.stack(norms)}
    )
