"""Golden files of guidance, inpainting, anagrams and hybrids: several whole steps of a small network.

Written from the assignment's and the papers' formulas in f64; nothing of ebb is used but its random
numbers (ebb_noise.py), which are saved with the results.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from ebb_noise import REFERENCE, SAMPLER, START, image_noise
from golden_file import write_golden
from sampler_goldens import alpha_bar_table
from applications_networks import TinyRgb, saved_network
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

SEED = 8
FIRST_IMAGE = 42  # seed of the first image
IMAGES = 2
NONE = -1  # no class

Tensors = dict[str, Tensor]
View = Callable[[Tensor], Tensor]
Ask = Callable[[Tensor, int, int], Tensor]  # x, timestep, class -> prediction


# --- asking --------------------------------------------------------------------------------


def ask_in_f64(model: nn.Module, timesteps: int) -> Ask:
    precise = model.double()

    def ask(x: Tensor, k: int, label: int) -> Tensor:
        t = torch.full((len(x), 1), (k + 1) / timesteps, dtype=torch.float64)
        c = torch.zeros(len(x), 10, dtype=torch.float64)
        if label != NONE:
            c[:, label] = 1
        with torch.inference_mode():
            return precise(x, t, c)

    return ask


# --- combining predictions ------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Prediction:
    noise: Tensor
    code: Tensor | None  # variance code of networks that have it


Denoiser = Callable[[Tensor, int], Prediction]


def split(output: Tensor, channels: int) -> Prediction:
    code = output[:, channels:] if output.shape[1] > channels else None
    return Prediction(output[:, :channels], code)


def guided(ask: Ask, label: int, scale: float) -> Denoiser:
    """e_u + scale (e_c - e_u); the variance is the conditional answer's."""

    def denoise(x: Tensor, k: int) -> Prediction:
        cond = split(ask(x, k, label), x.shape[1])
        uncond = split(ask(x, k, NONE), x.shape[1])
        return Prediction(uncond.noise + scale * (cond.noise - uncond.noise), cond.code)

    return denoise


def mean_code(parts: Sequence[Prediction]) -> Tensor | None:
    codes = [part.code for part in parts if part.code is not None]
    return sum(codes[1:], codes[0]) / len(codes) if codes else None


# name: view, its inverse, and what the inverse does to the variance code. NCHW.
VIEWS: dict[str, tuple[View, View, View]] = {
    "identity": (lambda x: x,) * 3,
    "flip": (lambda x: x.flip(2),) * 3,
    "rotate_180": (lambda x: x.flip(2).flip(3),) * 3,
    # A quarter turn clockwise: the left column becomes the top row.
    "rotate_cw": (
        lambda x: x.transpose(2, 3).flip(3),
        lambda x: x.transpose(2, 3).flip(2),
        lambda x: x.transpose(2, 3).flip(2),
    ),
    "rotate_ccw": (
        lambda x: x.transpose(2, 3).flip(2),
        lambda x: x.transpose(2, 3).flip(3),
        lambda x: x.transpose(2, 3).flip(3),
    ),
    "negate": (lambda x: -x, lambda x: -x, lambda x: x),
}


def mean_of_views(views: Sequence[str], parts: Sequence[Denoiser]) -> Denoiser:
    """Visual anagrams (Geng et al. 2024): every view asks for itself, guidance included."""

    def denoise(x: Tensor, k: int) -> Prediction:
        answers = []
        for name, part in zip(views, parts, strict=True):
            view, inverse, inverse_code = VIEWS[name]
            seen = part(view(x), k)
            code = inverse_code(seen.code) if seen.code is not None else None
            answers.append(Prediction(inverse(seen.noise), code))
        total = sum((a.noise for a in answers[1:]), answers[0].noise)
        return Prediction(total / len(answers), mean_code(answers))

    return denoise


def low_pass(kernel: int, sigma: float) -> View:
    return lambda x: gaussian_blur(x, [kernel, kernel], [sigma, sigma])


def minus(left: View, right: View) -> View:
    return lambda x: left(x) - right(x)


def same(x: Tensor) -> Tensor:
    return x


def grey(x: Tensor) -> Tensor:
    return x.mean(dim=1, keepdim=True).expand_as(x)


def motion(x: Tensor) -> Tensor:
    """The mean of 7 pixels along the falling diagonal, reflected at the edges."""
    kernel = torch.eye(7, dtype=x.dtype)[None, None] / 7
    n, c, h, w = x.shape
    padded = F.pad(x, (3, 3, 3, 3), mode="reflect").reshape(n * c, 1, h + 6, w + 6)
    return F.conv2d(padded, kernel).reshape(x.shape)


def sum_of_parts(filters: Sequence[View], parts: Sequence[Denoiser]) -> Denoiser:
    """Factorized diffusion (Geng et al. 2024): filtered predictions add up, variances average."""

    def denoise(x: Tensor, k: int) -> Prediction:
        answers = [part(x, k) for part in parts]
        filtered = [f(a.noise) for f, a in zip(filters, answers, strict=True)]
        return Prediction(sum(filtered[1:], filtered[0]), mean_code(answers))

    return denoise


# --- walking --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Walk:
    """Ancestral steps from timestep to timestep; -1 is the clean image, whose step adds no noise."""

    schedule: str
    timesteps: list[int]
    image: tuple[int, int, int]  # C, H, W
    is_small: bool = False  # the smaller of the two fixed variances

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (IMAGES, *self.image)

    def signal(self, k: int) -> float:
        return 1.0 if k < 0 else float(alpha_bar_table(self.schedule)[k])

    def start(self) -> Tensor:
        return torch.from_numpy(image_noise(START, FIRST_IMAGE, 0, self.shape)).double()

    def noise(self, step: int) -> Tensor:
        return torch.from_numpy(image_noise(SAMPLER, FIRST_IMAGE, step, self.shape)).double()

    def reference_noise(self, step: int) -> Tensor:
        return torch.from_numpy(image_noise(REFERENCE, FIRST_IMAGE, step, self.shape)).double()

    def noised(self, clean: Tensor, k: int, noise: Tensor) -> Tensor:
        signal = self.signal(k)
        return signal**0.5 * clean + (1 - signal) ** 0.5 * noise

    def step(self, x: Tensor, k: int, k_next: int, prediction: Prediction, noise: Tensor) -> Tensor:
        signal, next_ = self.signal(k), self.signal(k_next)
        alpha = signal / next_
        beta = 1 - alpha
        clean = (x - (1 - signal) ** 0.5 * prediction.noise) / signal**0.5
        mean = (
            next_**0.5 * beta / (1 - signal) * clean + alpha**0.5 * (1 - next_) / (1 - signal) * x
        )
        if k_next < 0:
            return mean
        if prediction.code is None:
            small = (1 - next_) / (1 - signal) * beta
            return mean + (small if self.is_small else beta) ** 0.5 * noise
        share = (prediction.code + 1) / 2
        log_min, log_max = np.log((1 - next_) / (1 - signal) * beta), np.log(beta)
        return mean + torch.exp((share * log_max + (1 - share) * log_min) / 2) * noise

    def run(
        self,
        denoiser: Denoiser,
        x: Tensor,
        after_step: Callable[[int, int, Tensor], Tensor] = lambda step, k_next, x: x,
    ) -> Tensor:
        """The states behind one another, [(1 + steps) * N, C, H, W]."""
        states = [x]
        for i, (k, k_next) in enumerate(zip(self.timesteps, self.timesteps[1:])):
            x = self.step(x, k, k_next, denoiser(x, k), self.noise(i))
            x = after_step(i, k_next, x)
            states.append(x)
        return torch.cat(states)


def inpainted(
    walk: Walk, denoiser: Denoiser, mask: Tensor, known: Tensor, noise: Callable[[int], Tensor]
) -> Tensor:
    """Mask 1 is made new. After a step to k_next the rest is the known image noised to k_next."""

    def keep_known(step: int, k_next: int, x: Tensor) -> Tensor:
        return mask * x + (1 - mask) * walk.noised(known, k_next, noise(step))

    return walk.run(denoiser, walk.start(), keep_known)


def walk_cases(walk: Walk, ask: Ask) -> Tensors:
    """The states of every combination on this network."""
    shape = walk.shape
    known = torch.rand(1, *walk.image).mul(2).sub(1).float()
    mask = (torch.rand(1, 1, *walk.image[1:]) > 0.4).float()
    start = walk.start()
    six, nine, three, one = (guided(ask, label, 5.0) for label in (6, 9, 3, 1))
    low, wide = low_pass(9, 1.5), low_pass(23, 2.0)
    steps = range(len(walk.timesteps) - 1)
    golden = {
        "start": start,
        "noise": torch.cat([walk.noise(i) for i in steps]),
        "reference_noise": torch.cat([walk.reference_noise(i) for i in steps]),
        "known": known,
        "mask": mask,
        "conditional": walk.run(guided(ask, 3, 1.0), start),
        "guided": walk.run(guided(ask, 3, 7.0), start),
        "inpaint": inpainted(
            walk, six, mask.double(), known.double().expand(shape), walk.reference_noise
        ),
        "rotate_180": walk.run(mean_of_views(["identity", "rotate_180"], [six, nine]), start),
        "flip": walk.run(mean_of_views(["identity", "flip"], [six, nine]), start),
        "negate": walk.run(mean_of_views(["identity", "negate"], [six, nine]), start),
        "three_views": walk.run(
            mean_of_views(["flip", "rotate_cw", "rotate_ccw"], [six, nine, three]), start
        ),
        "hybrid": walk.run(sum_of_parts([low, minus(same, low)], [six, nine]), start),
        "triple": walk.run(
            sum_of_parts([wide, minus(low, wide), minus(same, low)], [six, nine, one]), start
        ),
        "motion": walk.run(sum_of_parts([motion, minus(same, motion)], [six, nine]), start),
    }
    if walk.image[0] == 3:
        golden["color"] = walk.run(sum_of_parts([grey, minus(same, grey)], [six, nine]), start)
    return golden


def write_toolbox_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rgb = TinyRgb().eval()
    params = {f"param.{name}": value.clone() for name, value in rgb.state_dict().items()}
    cases = (
        ("toolbox_mnist", saved_network("toolbox_ddpm"), {}, MNIST_WALK),
        ("toolbox_rgb", rgb, params, RGB_WALK),
    )
    for name, model, tensors, walk in cases:
        ask = ask_in_f64(model, len(alpha_bar_table(walk.schedule)))
        states = {key: value.float() for key, value in walk_cases(walk, ask).items()}
        timesteps = {"timestep": torch.tensor(walk.timesteps, dtype=torch.int32)}
        all_tensors = {**tensors, **states, **timesteps}
        write_golden(
            name,
            {key: value.contiguous().numpy() for key, value in all_tensors.items()},
            {"ebb.golden": {"seed": SEED, **versions}},
        )


MNIST_WALK = Walk("linear300", [207, 198, 189, -1], (1, 28, 28))
RGB_WALK = Walk("cosine1000", [690, 660, 630, 600, 570], (3, 12, 12))
