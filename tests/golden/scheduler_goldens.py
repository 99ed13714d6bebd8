"""Whole sampling runs of diffusers' DDPMScheduler, by scheduler_config.json, with saved predictions.

The tables are the library's, in f32, the states f64; the noise is ebb's own. The last of them takes neighboring timesteps,
where f32 loses most.
"""

import json
from unittest import mock

import numpy as np
import torch
from diffusers import DDPMScheduler
from diffusers.schedulers import scheduling_ddpm
from ebb_noise import SAMPLER, normal
from golden_file import write_golden

SEED = 11
SHAPE = (2, 3, 4, 4)  # elementwise but for the quantile, which is one image's
IMAGE_SEED = 1

# name: (steps, scheduler_config.json)
CASES = {
    "defaults": (20, {}),
    "sigmoid": (10, {"beta_schedule": "sigmoid", "timestep_spacing": "trailing", "clip_sample": False}),
    "scaled_v": (10, {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
                      "prediction_type": "v_prediction", "timestep_spacing": "linspace",
                      "clip_sample_range": 2.0}),
    "sample": (10, {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample", "steps_offset": 1,
                    "variance_type": "fixed_large", "timestep_spacing": "linspace"}),
    "trained": (7, {"trained_betas": [0.001 + 0.0003 * k for k in range(50)], "num_train_timesteps": 50}),
    "if": (10, {"beta_schedule": "squaredcos_cap_v2", "variance_type": "learned_range", "thresholding": True,
                "dynamic_thresholding_ratio": 0.95, "sample_max_value": 1.5}),
    "all": (250, {"num_train_timesteps": 250}),
}  # fmt: skip


def write_scheduler_goldens(versions: dict[str, str]) -> None:
    torch.manual_seed(SEED)
    tensors: dict[str, np.ndarray] = {}
    configs = {}
    for name, (steps, config) in CASES.items():
        scheduler = DDPMScheduler(**config)
        configs[name] = json.dumps({"_class_name": "DDPMScheduler", **dict(scheduler.config)})
        for key, value in sampling_run(scheduler, steps).items():
            tensors[f"{name}.{key}"] = value
    metadata = {"ebb.golden": {"seed": SEED, **versions}, "configs": json.dumps(configs)}
    write_golden("diffusers_schedulers", tensors, metadata)


def sampling_run(scheduler: DDPMScheduler, steps: int) -> dict[str, np.ndarray]:
    scheduler.set_timesteps(steps)
    learned = scheduler.config.variance_type == "learned_range"
    prediction = torch.randn(steps, *SHAPE)
    code = torch.rand(steps, *SHAPE) * 2.4 - 1.2  # networks leave [-1, 1]
    x = torch.randn(*SHAPE).double()
    states = [x]
    for i, t in enumerate(scheduler.timesteps):
        output = torch.cat([prediction[i], code[i]], 1) if learned else prediction[i]
        with mock.patch.object(scheduling_ddpm, "randn_tensor", lambda *_, i=i, **__: noise_of_step(i)):
            x = scheduler.step(output.double(), t, x).prev_sample
        states.append(x)
    result = {
        "timestep": scheduler.timesteps.to(torch.int32).numpy(),
        "prediction": prediction.numpy(),
        "state": torch.stack(states).numpy(),
    }
    return {**result, "code": code.numpy()} if learned else result


def noise_of_step(step: int) -> torch.Tensor:
    """What ebb's sampler draws for images of the seeds IMAGE_SEED, IMAGE_SEED + 1."""
    images = [normal(SAMPLER, IMAGE_SEED + image, step, int(np.prod(SHAPE[1:]))) for image in range(SHAPE[0])]
    return torch.from_numpy(np.stack(images).reshape(SHAPE)).double()
