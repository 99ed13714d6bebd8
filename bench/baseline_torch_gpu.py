#!/usr/bin/env python3
"""PyTorch on a GPU, the baseline that ebb's CUDA kernels are compared with.

Prints one line of JSON per case and variant; the fastest variant is what counts. Variants are the
two memory layouts, each eagerly, replayed as a CUDA graph and compiled. The precision is the one
that is asked for: f32 means f32 products (no TF32), tf32 both switches on, bf16 and f16 stored and
multiplied in that type, sums in f32.

  baseline_torch_gpu.py ops --cases CASES.json
  baseline_torch_gpu.py train --precision f32 --hidden 64 --batch-size 128
  baseline_torch_gpu.py sample --precision tf32 --batch-size 10

Needs torch with CUDA and nothing else; installs nothing. Exit code 5: no torch, or no GPU.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from pathlib import Path

try:
    import torch
except ImportError as error:
    print(f"baseline_torch_gpu: {error}. Run it with a Python that has PyTorch", file=sys.stderr)
    sys.exit(5)

import torch_gpu_models  # noqa: E402
import torch_gpu_ops  # noqa: E402
from torch_gpu_timing import Timer  # noqa: E402

PRECISIONS = ("f32", "tf32", "bf16", "f16")


def facts(device: str) -> dict[str, object]:
    known: dict[str, object] = {"peer": "torch", "version": torch.__version__}
    if device == "cuda":
        known["gpu"] = torch.cuda.get_device_name()
        known["cuda"] = torch.version.cuda
        known["cudnn"] = torch.backends.cudnn.version()
    else:
        known["gpu"] = "none: the script's own test on the CPU"
    return known


def set_precision(precision: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cudnn.benchmark = True


def print_line(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


def run_ops(args: argparse.Namespace) -> None:
    known = facts(args.device)
    for case in json.loads(args.cases.read_text()):
        for precision in args.precision or torch_gpu_ops.precisions_of(case["op"]):
            set_precision(precision)
            for variant, seconds in torch_gpu_ops.measured(case, precision, Timer(args.device)):
                print_line(
                    known
                    | {"case": case["case"], "pass": case["pass"], "precision": precision}
                    | {"variant": variant, "median_step_seconds": seconds}
                )


def run_model(args: argparse.Namespace) -> None:
    """Every variant in turn. A failing one is reported on stderr and left out."""
    known = facts(args.device)
    precision = (args.precision or ["f32"])[0]
    set_precision(precision)
    make = torch_gpu_models.WORK[args.command]
    for variant in torch_gpu_models.variants(args):
        if args.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            start = time.perf_counter()
            step = make(args, variant, precision)
            # A compiled step records its graph in its first calls.
            warmup = max(args.warmup, 10) if args.device == "cuda" else args.warmup
            seconds = Timer(args.device).steps(step, warmup, args.steps)
            total = time.perf_counter() - start
        except Exception as error:  # noqa: BLE001: whatever a compiler throws
            print(f"baseline_torch_gpu: {variant}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        peak = torch.cuda.max_memory_allocated() if args.device == "cuda" else 0
        print_line(
            known
            | {"case": args.command, "precision": precision, "variant": str(variant)}
            | {"hidden": args.hidden, "batch_size": args.batch_size, "steps": args.steps}
            | {"median_step_seconds": statistics.median(seconds), "min_step_seconds": min(seconds)}
            | {"peak_gpu_mb": peak / 1e6, "set_up_and_measure_seconds": total}
        )
        del step
        torch.compiler.reset()
        gc.collect()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--precision", action="append", choices=PRECISIONS, help="default: all, for models f32"
    )
    common.add_argument(
        "--device", choices=["cuda", "cpu"], default="cuda", help="cpu: to test the script"
    )
    common.add_argument("--threads", type=int, help="CPU threads")
    common.add_argument("--seed", type=int, default=0)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("ops", help="single ops", parents=[common])
    command.add_argument("--cases", type=Path, required=True, help="JSON, see baseline_convs.py")
    for name, batch in (("train", 128), ("sample", 10)):
        command = commands.add_parser(name, help="steps of the class UNet", parents=[common])
        command.add_argument("--hidden", type=int, default=64)
        command.add_argument("--batch-size", type=int, default=batch)
        command.add_argument("--warmup", type=int, default=20)
        command.add_argument("--steps", type=int, default=50)
        command.add_argument(
            "--no-compile", action="store_true", help="leave torch.compile's variants out"
        )
        command.add_argument("--guidance", default="batched", choices=["batched"])
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print(
            f"baseline_torch_gpu: torch {torch.__version__} sees no GPU. Run it where nvidia-smi shows "
            "one, with a PyTorch built for CUDA",
            file=sys.stderr,
        )
        sys.exit(5)
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.command == "ops":
        run_ops(args)
    else:
        run_model(args)


if __name__ == "__main__":
    main()
