#!/usr/bin/env python3
"""The class UNet in ONNX Runtime and OpenVINO: the peers that run an exported network.

  baseline_onnx.py export MODEL.safetensors DIR
  baseline_onnx.py sample --engine onnxruntime --network DIR --guidance graph --threads 2
  baseline_onnx.py draw OUT.pgm --engine openvino --network DIR --guidance batched --digit 7

`export` runs PyTorch once and writes the network, its guided steps and PyTorch's answers; the
other commands run without it. `sample` compares with these answers before it measures.

Needs torch, numpy, safetensors, onnx, onnxscript, onnxruntime and openvino. Where they are missing
it makes a virtual environment (--venv DIR, default ~/.cache/ebb/peer-venv), says so, and runs
itself there.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import baseline_env

baseline_env.require_packages(usage=__doc__, extra=baseline_env.ONNX_PACKAGES)

import numpy as np  # noqa: E402

import onnx_engines  # noqa: E402


def run_export(args: argparse.Namespace) -> None:
    import onnx_export
    import torch
    from baseline_mnist_unet import load_model

    torch.manual_seed(args.seed)
    onnx_export.export_all(load_model(args.model), args.directory)
    print(json.dumps({"exported": str(args.directory), "version": torch.__version__}))


def open_sampler(args: argparse.Namespace, labels: np.ndarray) -> onnx_engines.GuidedSampler:
    return onnx_engines.GuidedSampler(
        args.engine, args.network, args.guidance, labels, args.threads
    )


def run_sample(args: argparse.Namespace) -> None:
    sampler = open_sampler(args, np.arange(args.batch_size) % onnx_engines.CLASSES)
    error = onnx_engines.check_prediction(sampler, args.network)
    states = sampler.states(args.seed)
    for _ in range(args.warmup):
        next(states)
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        next(states)
        seconds.append(time.perf_counter() - start)
    line = {
        "peer": args.engine,
        "version": sampler.version,
        "case": "guided_step",
        "guidance": args.guidance,
        "batch_size": args.batch_size,
        "threads": args.threads,
        "steps": args.steps,
        "difference_from_torch": error,
        "median_step_seconds": statistics.median(seconds),
        "min_step_seconds": min(seconds),
        "peak_rss_mb": baseline_env.peak_rss_mb(),
    }
    print(json.dumps(line), flush=True)


def run_draw(args: argparse.Namespace) -> None:
    for x in open_sampler(args, np.array([args.digit])).states(args.seed):
        image = x
    pixels = (image.clip(0, 1) * 255).round().astype(np.uint8)
    args.output.write_bytes(b"P5 28 28 255\n" + pixels.tobytes())


def engine_flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--engine", choices=list(onnx_engines.ENGINES), required=True)
    flags.add_argument(
        "--network", type=Path, required=True, metavar="DIR", help="what `export` has filled"
    )
    flags.add_argument(
        "--guidance",
        choices=list(onnx_engines.GUIDANCE),
        default="graph",
        help="; ".join(f"{name}: {text}" for name, text in onnx_engines.GUIDANCE.items()),
    )
    flags.add_argument(
        "--threads", type=int, default=1, help="CPU threads (default: %(default)s)"
    )
    return flags


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, parents=[baseline_env.venv_flag()]
    )
    common.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    engine = engine_flags()

    command = commands.add_parser("export", help="write the ONNX files", parents=[common])
    command.add_argument("model", type=Path, metavar="MODEL.safetensors")
    command.add_argument("directory", type=Path, metavar="DIR")
    command.set_defaults(run=run_export)

    command = commands.add_parser(
        "sample", help="time guided DDPM sampling steps", parents=[common, engine]
    )
    command.add_argument("--batch-size", type=int, default=10, help="images per step")
    command.add_argument("--steps", type=int, default=100, help="measured steps")
    command.add_argument("--warmup", type=int, default=2, help="steps before the measured ones")
    command.set_defaults(run=run_sample)

    command = commands.add_parser(
        "draw", help="draw one guided digit, write a PGM", parents=[common, engine]
    )
    command.add_argument("output", type=Path, metavar="OUT.pgm")
    command.add_argument("--digit", type=int, choices=range(10), required=True)
    command.set_defaults(run=run_draw)

    args = parser.parse_args()
    if args.run is run_sample and args.warmup + args.steps > onnx_engines.TIMESTEPS:
        parser.error(f"--warmup plus --steps exceed the {onnx_engines.TIMESTEPS} timesteps")
    return args


def main() -> None:
    args = parse_args()
    try:
        args.run(args)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"baseline_onnx: {error}")


if __name__ == "__main__":
    main()
