"""The pictures that commands of ebb must make on the trained toolbox networks.

Each command line is answered from the assignment's and the papers' formulas, in f64, down to the
bytes of the pictures. ebb computes in f32, so a byte on the border of two levels may differ by 1.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from ebb_noise import START, image_noise
from golden_file import write_golden
from sampler_goldens import log_snr
from applications_goldens import (
    FIRST_IMAGE,
    IMAGES,
    NONE,
    Denoiser,
    View,
    Walk,
    ask_in_f64,
    guided,
    inpainted,
    low_pass,
    mean_of_views,
    minus,
    motion,
    same,
    sum_of_parts,
)
from applications_networks import saved_network, strokes
from torch import Tensor

SEED = 11
MNIST = (1, 28, 28)
TIMESTEPS = 300
SCALE = 1000  # the assignment's timesteps
LEVELS = (250, 500, 750)
# Among which the best blur is searched.
KERNELS = (*range(3, 16, 2), 21, 25)
SIGMAS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
STEPS = 6
GUIDANCE = 5.0  # the default of --cfg-scale
COMMON = ["-s", str(FIRST_IMAGE), "-b", str(IMAGES), "--threads", "1"]
INPUT = "in.png"

# The words of a command line, and its pictures [P, 1, H, W] in [0, 1], before rounding.
Case = tuple[list[str], Tensor]


def write_command_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    drawn = (strokes(torch.tensor([4]))[0, 0] * 255).round().to(torch.uint8)
    clean = (drawn.double() / 255)[None, None]
    cases = dict(picture_cases(clean)) | dict(ddpm_cases(clean)) | dict(flow_cases(clean))
    golden = {name: as_bytes(pictures) for name, (_, pictures) in cases.items()}
    write_golden(
        "toolbox_commands",
        {"input": drawn.numpy(), **golden},
        {
            "ebb.golden": {"seed": SEED, **versions},
            "ebb.commands": {name: words + COMMON for name, (words, _) in cases.items()},
        },
    )


def as_bytes(pictures: Tensor) -> np.ndarray:
    """[P, H, W]"""
    return (pictures[:, 0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def full_walk(steps: int = STEPS, is_small: bool = False) -> Walk:
    """Equal strides from the last timestep to the clean image."""
    return walk_from(TIMESTEPS - 1, steps, is_small)


def walk_from(k: int, steps: int, is_small: bool = False) -> Walk:
    timesteps = [round((k + 1) * (steps - i) / steps) - 1 for i in range(steps)]
    return Walk("linear300", [*timesteps, -1], MNIST, is_small)


def course_walk(start: int) -> Walk:
    """The strided list from an entry on. It ends in a noisy state, so the variance is the small."""
    return Walk("linear300", [scaled(t) for t in range(990, -1, -30)][start:], MNIST, True)


def scaled(t: int) -> int:
    return t * TIMESTEPS // SCALE


def ddpm_cases(clean: Tensor) -> Iterator[tuple[str, Case]]:
    ask = ask_in_f64(saved_network("toolbox_ddpm"), TIMESTEPS)
    one, three, six, nine = (guided(ask, label, GUIDANCE) for label in (1, 3, 6, 9))
    walk = full_walk()
    steps = ["--steps", str(STEPS)]
    both = clean.expand(walk.shape)

    def last(states: Tensor) -> Tensor:
        return states[-IMAGES:]

    def run(denoiser: Denoiser, on: Walk = walk) -> Tensor:
        return last(on.run(denoiser, on.start()))

    def edited(denoiser: Denoiser, on: Walk) -> Tensor:
        return last(on.run(denoiser, on.noised(both, on.timesteps[0], on.start())))

    yield "sample", (["sample", "--class", "3", *steps], run(three))
    yield (
        "sample_conditional",
        (["sample", "-p", "a photo of a three", "--cfg-scale", "1", *steps], run(guided(ask, 3, 1))),
    )
    yield (
        "sample_fixed_small",
        (
            ["sample", "--class", "3", "--variance", "fixed_small", *steps],
            run(three, full_walk(is_small=True)),
        ),
    )
    for eta in ("0", "0.6"):
        yield (
            f"sample_ddim_{eta}",
            (
                ["sample", "--class", "3", "--sampler", "ddim", "--eta", eta, *steps],
                ddim(walk, three, float(eta)),
            ),
        )
    yield (
        "sample_dpm",
        (["sample", "--class", "3", "--sampler", "dpm++", *steps], dpm(walk, three)),
    )
    for start in (10, 20):
        yield (
            f"edit_{start}",
            (
                ["edit", "-i", INPUT, "--i-start", str(start), "--class", "3"],
                edited(three, course_walk(start)),
            ),
        )
    yield (
        "edit_steps",
        (
            ["edit", "-i", INPUT, "--i-start", "15", "--class", "3", "--steps", "5"],
            edited(three, walk_from(scaled(990 - 15 * 30), 5)),
        ),
    )
    yield (
        "denoise",
        (
            ["denoise", "-i", INPUT, "--iterative", "--i-start", "22"],
            edited(guided(ask, NONE, 1), course_walk(22)),
        ),
    )
    yield (
        "denoise_one_step",
        (
            ["denoise", "-i", INPUT, "--one-step", "-t", "250,500,750", "--class", "4"],
            torch.cat(
                [one_step(walk, guided(ask, 4, GUIDANCE), both, scaled(t)) for t in LEVELS]
            ),
        ),
    )
    right = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    right[..., 14:] = 1
    yield (
        "inpaint",
        (
            ["inpaint", "-i", INPUT, "--mask", "right", "--class", "6", *steps],
            last(inpainted(walk, six, right, both, walk.reference_noise)),
        ),
    )
    yield (
        "inpaint_resampled",
        (
            ["inpaint", "-i", INPUT, "--mask", "right", "--class", "6", *steps, "--resample", "2",
             "--jump", "2"],
            resampled(walk, six, right, both, jump=2, times=2),
        ),
    )  # fmt: skip
    for view in ("flip", "rotate_180"):
        yield (
            f"anagram_{view}",
            (
                ["anagram", "--prompts", "6", "9", "--view", view, *steps],
                run(mean_of_views(["identity", view], [six, nine])),
            ),
        )
    yield (
        "anagram_turns",
        (
            ["anagram", "--prompts", "6", "9", "3", "--views", "rotate_cw", "rotate_ccw", "flip",
             *steps],
            run(mean_of_views(["rotate_cw", "rotate_ccw", "flip"], [six, nine, three])),
        ),
    )  # fmt: skip
    # 28 of the paper's 64 pixels: kernels 33 and 25 become 15 and 11, sigma 2 becomes 0.875.
    coarse, wide, narrow = low_pass(15, 0.875), low_pass(11, 0.875), low_pass(11, 0.4375)
    yield (
        "hybrid",
        (
            ["hybrid", "--far", "6", "--near", "9", *steps],
            run(sum_of_parts([coarse, minus(same, coarse)], [six, nine])),
        ),
    )
    chosen = low_pass(9, 1.5)
    yield (
        "hybrid_chosen",
        (
            ["hybrid", "--far", "6", "--near", "9", "--kernel", "9", "--sigma", "1.5", *steps],
            run(sum_of_parts([chosen, minus(same, chosen)], [six, nine])),
        ),
    )
    yield (
        "hybrid_triple",
        (
            ["hybrid", "--decomposition", "triple", "--prompts", "6", "9", "1", *steps],
            run(
                sum_of_parts(
                    [wide, minus(narrow, wide), minus(same, narrow)], [six, nine, one]
                )
            ),
        ),
    )
    yield (
        "hybrid_motion",
        (
            ["hybrid", "--decomposition", "motion", "--prompts", "6", "9", *steps],
            run(sum_of_parts([motion, minus(same, motion)], [six, nine])),
        ),
    )
    yield (
        "hybrid_inverse",
        (
            ["hybrid", "--inverse", INPUT, "--near", "9", *steps],
            last(walk.run(nine, walk.start(), known_part(walk, coarse, both))),
        ),
    )


def picture_cases(clean: Tensor) -> Iterator[tuple[str, Case]]:
    """Commands that only noise and blur."""
    walk = full_walk()
    noised = [walk.noised(clean.expand(walk.shape), scaled(t), walk.start()) for t in LEVELS]
    yield "forward", (["forward", "-i", INPUT, "-t", "250,500,750"], torch.cat(noised))
    chosen = low_pass(7, 1.0)
    yield (
        "blur",
        (
            ["blur", "-i", INPUT, "-t", "250,500,750", "--kernel", "7", "--sigma", "1"],
            torch.cat([side_by_side(x, chosen(x)) for x in noised]),
        ),
    )
    yield (
        "blur_best",
        (
            ["blur", "-i", INPUT, "-t", "250,500,750"],
            torch.cat([side_by_side(x, best_blur(x, clean)) for x in noised]),
        ),
    )


def best_blur(x: Tensor, clean: Tensor) -> Tensor:
    blurred = [low_pass(kernel, sigma)(x) for kernel in KERNELS for sigma in SIGMAS]
    return min(blurred, key=lambda y: ((y - clean) ** 2).mean().item())


def side_by_side(left: Tensor, right: Tensor) -> Tensor:
    """As torchvision.utils.make_grid places two pictures: framed by two black pixels."""
    return torch.cat([F.pad(left, (2, 2, 2, 2)), F.pad(right, (0, 2, 2, 2))], dim=3)


def known_part(walk: Walk, part: View, known: Tensor) -> Callable[[int, int, Tensor], Tensor]:
    """After a step, one part of x is that of the known image noised as much."""

    def keep(step: int, k_next: int, x: Tensor) -> Tensor:
        return x + part(walk.noised(known, k_next, walk.reference_noise(step)) - x)

    return keep


def one_step(walk: Walk, denoiser: Denoiser, clean: Tensor, k: int) -> Tensor:
    x = walk.noised(clean, k, walk.start())
    signal = walk.signal(k)
    return (x - (1 - signal) ** 0.5 * denoiser(x, k).noise) / signal**0.5


def ddim(walk: Walk, denoiser: Denoiser, eta: float) -> Tensor:
    """Equations 12 and 16 of Song et al. 2021."""
    x = walk.start()
    for i, (k, k_next) in enumerate(zip(walk.timesteps, walk.timesteps[1:])):
        now, next_ = walk.signal(k), walk.signal(k_next)
        e = denoiser(x, k).noise
        clean = (x - (1 - now) ** 0.5 * e) / now**0.5
        sigma = eta * ((1 - next_) / (1 - now) * (1 - now / next_)) ** 0.5
        x = next_**0.5 * clean + (1 - next_ - sigma**2) ** 0.5 * e + sigma * walk.noise(i)
    return x


def dpm(walk: Walk, denoiser: Denoiser) -> Tensor:
    """sampler_goldens.dpm_walk() with a network."""
    x = walk.start()
    before: tuple[Tensor, float] | None = None
    for k, k_next in zip(walk.timesteps, walk.timesteps[1:]):
        now, next_ = walk.signal(k), walk.signal(k_next)
        m = (x - (1 - now) ** 0.5 * denoiser(x, k).noise) / now**0.5
        if k_next < 0:
            return m
        h = float(log_snr(torch.tensor(next_, dtype=torch.float64))) - float(
            log_snr(torch.tensor(now, dtype=torch.float64))
        )
        d = m if before is None else m + (m - before[0]) * h / (2 * before[1])
        x = ((1 - next_) / (1 - now)) ** 0.5 * x - next_**0.5 * float(np.expm1(-h)) * d
        before = (m, h)
    raise ValueError("the walk does not end at the clean image")


def repaint_times(steps: int, jump: int, times: int) -> list[int]:
    """The schedule of the paper's appendix (Lugmayr et al. 2022): times steps - 1, ..., 0, -1."""
    left = {t: times - 1 for t in range(0, steps - jump, jump)}
    schedule, t = [], steps
    while t >= 1:
        t -= 1
        schedule.append(t)
        if left.get(t, 0) > 0:
            left[t] -= 1
            for _ in range(jump):
                t += 1
                schedule.append(t)
    return [*schedule, -1]


def resampled(
    walk: Walk, denoiser: Denoiser, mask: Tensor, known: Tensor, jump: int, times: int
) -> Tensor:
    """RePaint: the walk goes back `jump` steps by noising again. Every move draws its own noise."""
    steps = len(walk.timesteps) - 1
    schedule = repaint_times(steps, jump, times)
    x = walk.start()
    for move, (t, t_next) in enumerate(zip(schedule, schedule[1:])):
        k, k_next = walk.timesteps[steps - 1 - t], walk.timesteps[steps - 1 - t_next]
        if t_next < t:
            x = walk.step(x, k, k_next, denoiser(x, k), walk.noise(move))
            kept = walk.noised(known, k_next, walk.reference_noise(move))
            x = mask * x + (1 - mask) * kept
        else:
            alpha = walk.signal(k_next) / walk.signal(k)
            x = alpha**0.5 * x + (1 - alpha) ** 0.5 * walk.noise(move)
    return x


def flow_cases(clean: Tensor) -> Iterator[tuple[str, Case]]:
    """x = t data + (1 - t) noise; the network answers with dx/dt at t."""
    model = ["--model", "flow.safetensors"]
    velocity = guided_velocity(saved_network("toolbox_flow").double(), 3)
    shape = (IMAGES, *MNIST)
    start = torch.from_numpy(image_noise(START, FIRST_IMAGE, 0, shape)).double()
    even = [i / STEPS for i in range(STEPS + 1)]
    words = [*model, "--class", "3", "--steps", str(STEPS)]
    yield "flow_euler", (["sample", *words], euler(velocity, start, even))
    yield "flow_heun", (["sample", *words, "--sampler", "heun"], heun(velocity, start, even))
    strided = [1 - t / SCALE for t in range(990 - 20 * 30, -1, -30)]
    noised = strided[0] * clean.expand(shape) + (1 - strided[0]) * start
    yield (
        "flow_edit",
        (
            ["edit", *model, "-i", INPUT, "--i-start", "20", "--class", "3"],
            euler(velocity, noised, strided),
        ),
    )


def guided_velocity(model: torch.nn.Module, label: int) -> Callable[[Tensor, float], Tensor]:
    def ask(x: Tensor, t: float, wanted: int) -> Tensor:
        c = torch.zeros(len(x), 10, dtype=torch.float64)
        if wanted != NONE:
            c[:, wanted] = 1
        with torch.inference_mode():
            return model(x, torch.full((len(x), 1), t, dtype=torch.float64), c)

    def velocity(x: Tensor, t: float) -> Tensor:
        uncond = ask(x, t, NONE)
        return uncond + GUIDANCE * (ask(x, t, label) - uncond)

    return velocity


def euler(velocity: Callable[[Tensor, float], Tensor], x: Tensor, times: list[float]) -> Tensor:
    for t, t_next in zip(times, times[1:]):
        x = x + (t_next - t) * velocity(x, t)
    return x


def heun(velocity: Callable[[Tensor, float], Tensor], x: Tensor, times: list[float]) -> Tensor:
    for t, t_next in zip(times, times[1:]):
        slope = velocity(x, t)
        ahead = x + (t_next - t) * slope
        x = x + (t_next - t) * (slope + velocity(ahead, t_next)) / 2
    return x
