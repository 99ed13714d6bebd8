"""Golden files of whole sampler walks with saved predictions and noise, in double precision.

Every walk is written out from its formulas and must agree with the scheduler of diffusers that does
the same: on f64 tables to 1e-10, and to f32 rounding where diffusers computes in f32.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
)
from diffusers.schedulers import scheduling_ddpm
from golden_file import write_golden
from torch import Tensor

SEED = 6
LEARNED_SHAPE = (1, 3, 8, 8)
WALK_SHAPE = (1, 3, 4, 4)
COURSE = list(range(990, -1, -30))
STEPS = (5, 20, 50)
FLOW_STEPS = (5, 20)
DDIM_ETAS = (0.0, 0.6, 1.0)

# name: (timesteps, diffusers' beta_schedule, first beta, last beta)
SCHEDULES = {
    "linear300": (300, "linear", 1e-4, 0.02),
    "linear1000": (1000, "linear", 1e-4, 0.02),
    "cosine1000": (1000, "squaredcos_cap_v2", 1e-4, 0.02),
}
# The squared cosine divides by 5e-5 at its last timestep: walks start below it, as those of IF do.
SKIPPED = {"linear300": 0, "linear1000": 0, "cosine1000": 10}

Tensors = dict[str, Tensor]
F64_AGREEMENT, F32_AGREEMENT = 1e-10, 2e-5


def write_sampler_goldens(versions: dict[str, str]) -> None:
    torch.manual_seed(SEED)
    metadata = {"ebb.golden": {"seed": SEED, **versions}}
    write_golden("course_steps", numpy_of(course_steps()), metadata)
    write_golden("ddim_walks", numpy_of(ddim_walks()), metadata)
    write_golden("dpm_walks", numpy_of(dpm_walks()), metadata)
    write_golden("flow_walks", numpy_of(flow_walks()), metadata)


def alpha_bar_table(schedule: str) -> Tensor:
    """[T] in f64."""
    timesteps, kind, beta_start, beta_end = SCHEDULES[schedule]
    if kind == "linear":
        beta = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
    else:
        time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
        cosine = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
        beta = (1 - cosine[1:] / cosine[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - beta, dim=0)


def stock_scheduler(cls: type, schedule: str, **settings: Any) -> Any:
    """The scheduler of diffusers as it comes: f32 all through."""
    timesteps, kind, beta_start, beta_end = SCHEDULES[schedule]
    return cls(
        num_train_timesteps=timesteps,
        beta_schedule=kind,
        beta_start=beta_start,
        beta_end=beta_end,
        **settings,
    )


def scheduler_of(cls: type, schedule: str, **settings: Any) -> Any:
    """The scheduler of diffusers on the f64 table, where the class lets it be."""
    scheduler = stock_scheduler(cls, schedule, **settings)
    table = alpha_bar_table(schedule)
    expect_close(scheduler.alphas_cumprod.double() / table, torch.ones_like(table), 1e-3)
    scheduler.alphas_cumprod = table
    scheduler.one = torch.ones((), dtype=torch.float64)
    return scheduler


# --- the assignment's 33 strided steps ------------------------------------------------------


def course_steps() -> Tensors:
    """Steps of squaredcos_cap_v2 on 990, 960, ..., 0; `output` is the noise and the variance code.

    x_t' = sqrt(ab_t') beta / (1 - ab_t) x0 + sqrt(alpha) (1 - ab_t') / (1 - ab_t) x_t
           + exp(log_variance / 2) z,   log_variance between log((1-ab_t')/(1-ab_t) beta) and
    log(beta) by (code + 1) / 2.
    """
    table = alpha_bar_table("cosine1000")
    steps = len(COURSE) - 1
    output = torch.randn(steps, 6, *LEARNED_SHAPE[2:])
    output[:, 3:] = torch.rand(steps, 3, *LEARNED_SHAPE[2:]) * 2.4 - 1.2  # networks leave [-1, 1]
    noise = torch.randn(steps, *LEARNED_SHAPE[1:])
    golden: Tensors = {
        "timestep": torch.tensor(COURSE, dtype=torch.int32),
        "output": output,
        "noise": noise,
    }
    start = torch.randn(*LEARNED_SHAPE)
    for variance in ("learned_range", "fixed_large", "fixed_small"):
        states = [start.double()]
        for i, (t, t_next) in enumerate(zip(COURSE, COURSE[1:])):
            mean, min_log, max_log = posterior(table[t], table[t_next], states[-1], output[i, :3])
            share = (output[i, 3:].double() + 1) / 2
            if variance != "learned_range":
                share = torch.full_like(share, 1.0 if variance == "fixed_large" else 0.0)
            log_variance = share * max_log + (1 - share) * min_log
            states.append(mean + torch.exp(log_variance / 2) * noise[i].double())
        check_course(variance, states, output, noise)
        golden[f"{variance}.state"] = torch.cat(states)
    return golden


def posterior(ab: Tensor, ab_next: Tensor, x: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
    """Mean of q(x_t' | x_t, x0) and the two bounds of the log-variance."""
    alpha = ab / ab_next
    beta = 1 - alpha
    clean = (x - torch.sqrt(1 - ab) * noise.double()) / torch.sqrt(ab)
    mean = (
        torch.sqrt(ab_next) * beta / (1 - ab) * clean
        + torch.sqrt(alpha) * (1 - ab_next) / (1 - ab) * x
    )
    return mean, torch.log((1 - ab_next) / (1 - ab) * beta), torch.log(beta)


def check_course(variance: str, states: list[Tensor], output: Tensor, noise: Tensor) -> None:
    scheduler = scheduler_of(
        DDPMScheduler, "cosine1000", variance_type=variance, clip_sample=False, thresholding=False
    )
    scheduler.set_timesteps(timesteps=COURSE)
    channels = 6 if variance == "learned_range" else 3
    for i, t in enumerate(COURSE[:-1]):
        prediction = output[i : i + 1, :channels].double()
        with saved_noise(noise[i : i + 1].double()):
            theirs = scheduler.step(prediction, t, states[i]).prev_sample
        expect_close(theirs, states[i + 1], F64_AGREEMENT)


class saved_noise:
    """Makes DDPMScheduler draw this instead of random numbers."""

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    def __enter__(self) -> None:
        self.original = scheduling_ddpm.randn_tensor
        scheduling_ddpm.randn_tensor = lambda *args, **kwargs: self.noise

    def __exit__(self, *_: object) -> None:
        scheduling_ddpm.randn_tensor = self.original


# --- DDIM and DPM-Solver++ ------------------------------------------------------------------


def trailing(schedule: str, steps: int) -> list[int]:
    """As diffusers' timestep_spacing="trailing", from the last timestep that is not skipped."""
    last = SCHEDULES[schedule][0] - SKIPPED[schedule]
    return [round(last - i * last / steps) - 1 for i in range(steps)]


def walk_of(schedule: str, steps: int) -> tuple[list[int], list[Tensor]]:
    """The timesteps and alpha_bar there; the last one is the clean image's 1."""
    table = alpha_bar_table(schedule)
    timesteps = trailing(schedule, steps)
    return timesteps, [table[t] for t in timesteps] + [torch.ones((), dtype=torch.float64)]


def plausible_prediction(x: Tensor, ab: Tensor) -> Tensor:
    """The noise in x as a good network would see it, for data of unit variance, and an error."""
    return (torch.sqrt(1 - ab) * x + 0.5 * torch.sqrt(ab) * torch.randn_like(x)).float()


def ddim_walks() -> Tensors:
    golden: Tensors = {}
    for schedule in SCHEDULES:
        for steps in STEPS:
            timesteps, ab = walk_of(schedule, steps)
            for eta in DDIM_ETAS:
                walk = ddim_walk(ab, eta)
                check_ddim(schedule, timesteps, eta, walk)
                if eta == 0:
                    del walk["noise"]
                    walk["f32_error"] = ddim_f32_error(schedule, timesteps, walk)
                walk["timestep"] = torch.tensor(timesteps, dtype=torch.int32)
                golden |= {f"{schedule}.{steps}.eta{eta}.{k}": v for k, v in walk.items()}
    return golden


def ddim_walk(ab: list[Tensor], eta: float) -> Tensors:
    """Equations 12 and 16 of Song et al. 2021."""
    states, predictions, noises = [torch.randn(*WALK_SHAPE).double()], [], []
    for now, next_ in zip(ab, ab[1:]):
        x = states[-1]
        noise = torch.randn(*WALK_SHAPE)
        prediction = plausible_prediction(x, now)
        e = prediction.double()
        clean = (x - torch.sqrt(1 - now) * e) / torch.sqrt(now)
        sigma = eta * torch.sqrt((1 - next_) / (1 - now) * (1 - now / next_))
        y = torch.sqrt(next_) * clean + torch.sqrt(1 - next_ - sigma**2) * e
        states.append(y + sigma * noise.double())
        predictions.append(prediction)
        noises.append(noise)
    return {
        "state": torch.cat(states),
        "prediction": torch.cat(predictions),
        "noise": torch.cat(noises),
    }


def check_ddim(schedule: str, timesteps: list[int], eta: float, walk: Tensors) -> None:
    scheduler = scheduler_of(DDIMScheduler, schedule, clip_sample=False, set_alpha_to_one=True)
    scheduler.final_alpha_cumprod = scheduler.one
    scheduler.num_inference_steps = 1
    for i, t in enumerate(timesteps):
        # diffusers takes t - num_train_timesteps // steps for the next timestep.
        t_next = timesteps[i + 1] if i + 1 < len(timesteps) else -1
        scheduler.register_to_config(num_train_timesteps=t - t_next)
        theirs = scheduler.step(
            walk["prediction"][i : i + 1].double(),
            t,
            walk["state"][i : i + 1],
            eta=eta,
            variance_noise=walk["noise"][i : i + 1].double(),
        ).prev_sample
        expect_close(theirs, walk["state"][i + 1 : i + 2], F64_AGREEMENT)


def ddim_f32_error(schedule: str, timesteps: list[int], walk: Tensors) -> Tensor:
    scheduler = stock_scheduler(DDIMScheduler, schedule, clip_sample=False, set_alpha_to_one=True)
    scheduler.num_inference_steps = 1
    x, states = walk["state"][:1].float(), []
    for i, t in enumerate(timesteps):
        t_next = timesteps[i + 1] if i + 1 < len(timesteps) else -1
        scheduler.register_to_config(num_train_timesteps=t - t_next)
        x = scheduler.step(walk["prediction"][i : i + 1], t, x).prev_sample
        states.append(x)
    return largest_error(states, walk["state"][1:])


def largest_error(f32_states: list[Tensor], states: Tensor) -> Tensor:
    """Of whole walks: each state's largest error beside its largest value; the worst state's."""
    errors = (torch.cat(f32_states).double() - states).abs().amax(dim=(1, 2, 3))
    return (errors / states.abs().amax(dim=(1, 2, 3))).max().reshape(1)


def dpm_walks() -> Tensors:
    golden: Tensors = {}
    for schedule in SCHEDULES:
        for steps in STEPS:
            timesteps, ab = walk_of(schedule, steps)
            walk = dpm_walk(ab)
            check_dpm(schedule, timesteps, walk)
            walk["f32_error"] = dpm_f32_error(schedule, timesteps, walk)
            walk["timestep"] = torch.tensor(timesteps, dtype=torch.int32)
            golden |= {f"{schedule}.{steps}.{k}": v for k, v in walk.items()}
    return golden


def dpm_walk(ab: list[Tensor]) -> Tensors:
    """DPM-Solver++(2M) of Lu et al. 2022, algorithm 2; first order at both ends.

    With m the estimate of the clean image, lambda = log(sqrt(ab) / sqrt(1-ab)), h the growth of
    lambda and r = h_before / h:
      x' = sqrt(1-ab') / sqrt(1-ab) x - sqrt(ab') (exp(-h) - 1) (m + (m - m_before) / (2 r))
    """
    states, predictions = [torch.randn(*WALK_SHAPE).double()], []
    before: tuple[Tensor, Tensor] | None = None
    for i, (now, next_) in enumerate(zip(ab, ab[1:])):
        x = states[-1]
        prediction = plausible_prediction(x, now)
        m = (x - torch.sqrt(1 - now) * prediction.double()) / torch.sqrt(now)
        if i + 1 == len(ab) - 1:
            states.append(m)  # lambda' is infinite: exp(-h) = 0
        else:
            h = log_snr(next_) - log_snr(now)
            d = m
            if before is not None:
                m_before, h_before = before
                d = m + (m - m_before) * h / (2 * h_before)
            y = torch.sqrt((1 - next_) / (1 - now)) * x - torch.sqrt(next_) * torch.expm1(-h) * d
            states.append(y)
            before = (m, h)
        predictions.append(prediction)
    return {"state": torch.cat(states), "prediction": torch.cat(predictions)}


def log_snr(ab: Tensor) -> Tensor:
    """lambda: half the logarithm of the signal-to-noise ratio."""
    return 0.5 * torch.log(ab / (1 - ab))


DPM_SETTINGS = {
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "solver_type": "midpoint",
    "lower_order_final": True,
    "final_sigmas_type": "zero",
}


def check_dpm(schedule: str, timesteps: list[int], walk: Tensors) -> None:
    """diffusers computes in f32; errors are small beside the largest value."""
    scheduler = scheduler_of(DPMSolverMultistepScheduler, schedule, **DPM_SETTINGS)
    for i, x in enumerate(dpm_f32_states(scheduler, timesteps, walk)):
        expect_close(x.double(), walk["state"][i + 1 : i + 2], F32_AGREEMENT)


def dpm_f32_error(schedule: str, timesteps: list[int], walk: Tensors) -> Tensor:
    scheduler = stock_scheduler(DPMSolverMultistepScheduler, schedule, **DPM_SETTINGS)
    return largest_error(dpm_f32_states(scheduler, timesteps, walk), walk["state"][1:])


def dpm_f32_states(scheduler: Any, timesteps: list[int], walk: Tensors) -> list[Tensor]:
    scheduler.set_timesteps(timesteps=timesteps)
    x, states = walk["state"][:1].float(), []
    for i, t in enumerate(scheduler.timesteps):
        x = scheduler.step(walk["prediction"][i : i + 1], t, x).prev_sample
        states.append(x)
    return states


# --- flow matching --------------------------------------------------------------------------


def flow_walks() -> Tensors:
    """t runs from 0 (noise) to 1 (data) in equal steps; predictions are velocities data - noise."""
    golden: Tensors = {}
    for steps in FLOW_STEPS:
        euler, heun = euler_walk(steps), heun_walk(steps)
        check_euler(steps, euler)
        check_heun(steps, heun)
        golden |= {f"euler.{steps}.{k}": v for k, v in euler.items()}
        golden |= {f"heun.{steps}.{k}": v for k, v in heun.items()}
    return golden


def euler_walk(steps: int) -> Tensors:
    predictions = torch.randn(steps, *WALK_SHAPE[1:])
    states = [torch.randn(*WALK_SHAPE).double()]
    for i in range(steps):
        states.append(states[-1] + predictions[i].double() / steps)
    return {"state": torch.cat(states), "prediction": predictions}


def heun_walk(steps: int) -> Tensors:
    """Predictions 2 i and 2 i + 1 are those at both ends of step i; `ahead` is x at its far end."""
    predictions = torch.randn(2 * steps, *WALK_SHAPE[1:])
    states, ahead = [torch.randn(*WALK_SHAPE).double()], []
    for i in range(steps):
        near, far = predictions[2 * i].double(), predictions[2 * i + 1].double()
        ahead.append(states[-1] + near / steps)
        states.append(states[-1] + (near + far) / (2 * steps))
    return {"state": torch.cat(states), "ahead": torch.cat(ahead), "prediction": predictions}


def check_euler(steps: int, walk: Tensors) -> None:
    """diffusers walks sigma = 1 - t from 1 to 0 and expects noise - data."""
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps))
    x = walk["state"][:1].float()
    for i, t in enumerate(scheduler.timesteps):
        x = scheduler.step(-walk["prediction"][i : i + 1], t, x).prev_sample
        expect_close(x.double(), walk["state"][i + 1 : i + 2], F32_AGREEMENT)


def check_heun(steps: int, walk: Tensors) -> None:
    """All but the last step, which diffusers leaves to Euler."""
    scheduler = FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(steps)
    sigmas = torch.linspace(1, 1 / steps, steps)
    scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:].repeat_interleave(2), torch.zeros(1)])
    x = walk["state"][:1].float()
    for call in range(2 * (steps - 1)):
        t = scheduler.timesteps[call]
        x = scheduler.step(-walk["prediction"][call : call + 1], t, x).prev_sample
        ours = walk["state"][call // 2 + 1] if call % 2 else walk["ahead"][call // 2]
        expect_close(x.double()[0], ours, F32_AGREEMENT)


def numpy_of(tensors: Tensors) -> dict[str, np.ndarray]:
    return {name: value.contiguous().numpy() for name, value in tensors.items()}


def expect_close(actual: Tensor, expected: Tensor, relative: float) -> None:
    """The largest error, beside the largest value."""
    error = (actual - expected).abs().max().item() / expected.abs().max().item()
    if not error <= relative:
        raise ValueError(f"two references differ by {error:.3g}, allowed {relative:.3g}")


if __name__ == "__main__":
    write_sampler_goldens({"torch": torch.__version__})
