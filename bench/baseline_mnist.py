#!/usr/bin/env python3
"""The MNIST diffusion UNets in PyTorch: the peer that ebb is compared with.

Writes model files that ebb reads and references that `ebb compare` reads, and times the
training and sampling loops of the assignment. The networks are in baseline_mnist_unet.py.

  baseline_mnist.py init OUT.safetensors --conditioning class --hidden 64
  baseline_mnist.py reference MODEL.safetensors OUT.safetensors
  baseline_mnist.py train --threads 2
  baseline_mnist.py sample --threads 2 --guidance batched --compile
  baseline_mnist.py ops --threads 2 --cases CASES.json
  baseline_mnist.py draw MODEL.safetensors OUT.pgm --digit 7
  baseline_mnist.py selftest

Needs torch, numpy and safetensors. Where they are missing it makes a virtual environment
(--venv DIR, default ~/.cache/ebb/peer-venv), says so, and runs itself there.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import baseline_env

baseline_env.require_packages(usage=__doc__)

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import baseline_convs  # noqa: E402
import baseline_timing  # noqa: E402
from baseline_mnist_unet import (  # noqa: E402
    LAYERS,
    MnistUNet,
    ModelConfig,
    captured_layers,
    load_model,
    random_inputs,
    save_model,
)

OBJECTIVES: dict[str, dict[str, object]] = {
    "ddpm": {
        "type": "ddpm",
        "timesteps": baseline_timing.TIMESTEPS,
        "beta_start": baseline_timing.BETA_START,
        "beta_end": baseline_timing.BETA_END,
    },
    "flow": {"type": "flow"},
    "denoise": {"type": "denoise", "sigma": 0.5},
}


def run_init(args: argparse.Namespace) -> None:
    config = ModelConfig(
        conditioning=args.conditioning, time_fusion=args.time_fusion, hidden=args.hidden
    )
    objective = args.objective or ("ddpm" if config.has_time else "denoise")
    save_model(args.output, MnistUNet(config), OBJECTIVES[objective])


def run_reference(args: argparse.Namespace) -> None:
    model = load_model(args.model).eval()
    inputs = random_inputs(model.config, args.batch)
    with torch.inference_mode(), captured_layers(model) as outputs:
        model(**inputs)
    tensors = {f"input.{name}": value for name, value in inputs.items()} | outputs
    origin = {
        "model": dataclasses.asdict(model.config),
        "seed": args.seed,
        "torch": torch.__version__,
    }
    save_file(tensors, args.output, {"format": "pt", "ebb.reference": json.dumps(origin)})


def run_train(args: argparse.Namespace) -> None:
    baseline_timing.time_training(class_model(args), args)


def run_sample(args: argparse.Namespace) -> None:
    baseline_timing.time_sampling(class_model(args), args)


def run_test_image(args: argparse.Namespace) -> None:
    if args.threads:
        torch.set_num_threads(args.threads)
    baseline_timing.draw_digit(load_model(args.model), args.digit, args.output, args.channels_last)


def class_model(args: argparse.Namespace) -> MnistUNet:
    if args.threads:
        torch.set_num_threads(args.threads)
    return MnistUNet(ModelConfig(conditioning="class", hidden=args.hidden))


def run_selftest(_: argparse.Namespace) -> None:
    check_parameter_counts()
    with tempfile.TemporaryDirectory() as directory:
        for conditioning, time_fusion in [
            ("none", "add"),
            ("time", "add"),
            ("time", "multiply"),
            ("class", "add"),
        ]:
            config = ModelConfig(conditioning=conditioning, time_fusion=time_fusion, hidden=4)
            check_round_trip(Path(directory) / "model.safetensors", config)
    print("baseline_mnist selftest: passed")


def check_parameter_counts() -> None:
    counts = {
        ("none", 64): 1_975_361,
        ("none", 128): 7_891_073,
        ("time", 64): 1_996_417,
        ("time", 128): 7_974_145,
        ("class", 64): 2_019_201,
        ("class", 128): 8_060_673,
    }
    for (conditioning, hidden), expected in counts.items():
        model = MnistUNet(ModelConfig(conditioning=conditioning, hidden=hidden))
        count = sum(parameter.numel() for parameter in model.parameters())
        check(count == expected, f"{model.config}: {count} parameters, expected {expected}")


def check_round_trip(path: Path, config: ModelConfig) -> None:
    """A saved and loaded model computes what the original computes, bit for bit."""
    original = MnistUNet(config)
    inputs = random_inputs(config, batch=3)
    original(**inputs)  # moves the running statistics away from 0 and 1
    save_model(path, original, OBJECTIVES["ddpm"])
    copy = load_model(path)
    with torch.inference_mode(), captured_layers(copy) as outputs:
        expected, actual = original.eval()(**inputs), copy.eval()(**inputs)
    check(copy.config == config, f"{config}: read back as {copy.config}")
    check(torch.equal(expected, actual), f"{config}: another output after the file")
    absent = 2 * (not config.has_time) + 2 * (not config.has_class)
    check(len(outputs) == len(LAYERS) - absent, f"{config}: layers {list(outputs)}")


def check(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(f"baseline_mnist selftest: {message}")


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def common_flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, parents=[baseline_env.venv_flag()]
    )
    flags.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    return flags


def benchmark_flags(batch_size: int, steps: int) -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name, default, text in [
        ("--hidden", 64, "width D of the class UNet"),
        ("--batch-size", batch_size, "images per step"),
        ("--steps", steps, "measured steps"),
        ("--warmup", 2, "steps before the measured ones"),
    ]:
        flags.add_argument(
            name, type=positive, default=default, help=f"{text} (default: %(default)s)"
        )
    flags.add_argument("--threads", type=positive, help="CPU threads (default: PyTorch's choice)")
    flags.add_argument("--channels-last", action="store_true", help="NHWC memory format")
    flags.add_argument("--compile", action="store_true", help="torch.compile the model")
    return flags


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    common = common_flags()

    command = commands.add_parser(
        "init", help="write a freshly initialized model", parents=[common]
    )
    command.add_argument("output", type=Path, metavar="OUT.safetensors")
    command.add_argument("--conditioning", choices=["none", "time", "class"], required=True)
    command.add_argument("--hidden", type=positive, required=True, help="width D")
    command.add_argument(
        "--time-fusion",
        choices=["add", "multiply"],
        default="add",
        help="how time enters a model without class (default: %(default)s)",
    )
    command.add_argument(
        "--objective",
        choices=list(OBJECTIVES),
        help="recorded in the file (default: denoise without conditioning, else ddpm)",
    )
    command.set_defaults(run=run_init)

    command = commands.add_parser(
        "reference",
        help="run a model on random inputs, write every layer's output",
        parents=[common],
    )
    command.add_argument("model", type=Path, metavar="MODEL.safetensors")
    command.add_argument("output", type=Path, metavar="OUT.safetensors")
    command.add_argument(
        "--batch", type=positive, default=4, metavar="N", help="examples (default: %(default)s)"
    )
    command.set_defaults(run=run_reference)

    command = commands.add_parser(
        "train",
        help="time training steps of the class UNet",
        parents=[common, benchmark_flags(batch_size=128, steps=10)],
    )
    command.set_defaults(run=run_train)

    command = commands.add_parser(
        "sample",
        help="time guided DDPM sampling steps of the class UNet",
        parents=[common, benchmark_flags(batch_size=10, steps=100)],
    )
    command.add_argument(
        "--guidance",
        choices=["two-calls", "batched"],
        default="two-calls",
        help="both branches in two forward calls or in one (default: %(default)s)",
    )
    command.set_defaults(run=run_sample)

    command = commands.add_parser("ops", help="time single convolutions", parents=[common])
    command.add_argument("--cases", type=Path, required=True, help="JSON, see baseline_convs.py")
    command.add_argument("--steps", type=positive, default=3, help="measured runs")
    command.add_argument("--threads", type=positive, help="CPU threads")
    command.set_defaults(run=baseline_convs.time_convs)

    command = commands.add_parser(
        "draw", help="draw one guided digit in all timesteps, write a PGM", parents=[common]
    )
    command.add_argument("model", type=Path, metavar="MODEL.safetensors")
    command.add_argument("output", type=Path, metavar="OUT.pgm")
    command.add_argument("--digit", type=int, choices=range(10), required=True)
    command.add_argument("--threads", type=positive, help="CPU threads")
    command.add_argument("--channels-last", action="store_true", help="NHWC memory format")
    command.set_defaults(run=run_test_image)

    command = commands.add_parser(
        "selftest", help="check the networks and their files", parents=[common]
    )
    command.set_defaults(run=run_selftest)

    args = parser.parse_args()
    if args.run is run_sample and args.warmup + args.steps > baseline_timing.TIMESTEPS:
        parser.error(f"--warmup plus --steps exceed the {baseline_timing.TIMESTEPS} timesteps")
    return args


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)
    try:
        args.run(args)
    except (OSError, ValueError) as error:
        sys.exit(f"baseline_mnist: {error}")


if __name__ == "__main__":
    main()
