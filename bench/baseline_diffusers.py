#!/usr/bin/env python3
"""Times one step of a diffusers UNet with random weights, f32 on the CPU: a peer of bench_unet.

  baseline_diffusers.py CONFIG.json --batch-size 2 --threads 2 [--channels-last] [--compile]

The config is that of the model; its _class_name names the class. A step is one forward pass; of a
network that reads text, both halves of a guided batch. Needs torch and diffusers, and looks for
them as baseline_mnist.py does.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import baseline_env

baseline_env.require_packages(usage=__doc__, extra={"diffusers": "diffusers"})

import diffusers  # noqa: E402
import torch  # noqa: E402


def random_model(config: dict[str, object]) -> torch.nn.Module:
    """The model in f32. Weights are small: the time does not depend on them."""
    model_class = getattr(diffusers, str(config["_class_name"]))
    with torch.device("meta"):
        model = model_class.from_config(config)
    model = model.to_empty(device="cpu").eval()
    with torch.inference_mode():
        for parameter in model.parameters():
            parameter.uniform_(-0.02, 0.02)
    return model


def random_inputs(config: dict[str, object], batch: int) -> dict[str, torch.Tensor]:
    size = config["sample_size"]
    inputs = {"sample": torch.randn(batch, config["in_channels"], size, size)}
    if config.get("encoder_hid_dim"):
        inputs["encoder_hidden_states"] = torch.randn(batch, 77, config["encoder_hid_dim"])
    if config.get("class_embed_type") == "timestep":
        inputs["class_labels"] = torch.full((batch,), 250)
    return inputs


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(parents=[baseline_env.venv_flag()], description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    config = json.loads(args.config.read_text())
    model = random_model(config)
    if args.channels_last:
        model = model.to(memory_format=torch.channels_last)
    inputs = random_inputs(config, args.batch_size)
    forward = torch.compile(model) if args.compile else model
    seconds = []
    for step in range(args.warmup + args.steps):
        start = time.perf_counter()
        forward(timestep=torch.tensor(500 - step), **inputs)
        seconds.append(time.perf_counter() - start)
    measured = seconds[args.warmup :]
    line = {
        "peer": "diffusers",
        "version": f"{diffusers.__version__} with torch {torch.__version__}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "median_step_seconds": statistics.median(measured),
        "min_step_seconds": min(measured),
        "peak_rss_mb": baseline_env.peak_rss_mb(),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
