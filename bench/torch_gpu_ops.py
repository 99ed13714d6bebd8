"""Single ops of the table in testing/op_cases.h, in PyTorch."""

import sys
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

import baseline_convs
from baseline_convs import FORMATS
from torch_gpu_timing import Step, Timer

DTYPES = {
    "f32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "f16": torch.float16,
}
CACHE_BYTES = 150e6
MOST_COPIES = 16


def precisions_of(op: str) -> tuple[str, ...]:
    return ("f32", "tf32", "bf16", "f16") if op == "conv" else ("f32", "bf16")


def measured(case: dict, precision: str, timer: Timer) -> Iterator[tuple[str, float]]:
    """(variant, seconds) of every variant that runs; why one does not goes to stderr.

    Convolutions and attention are library calls, which torch.compile leaves as they are; it is
    tried where it fuses something, on the norms.
    """
    make = {
        "conv": conv_variants,
        "batch norm + gelu": norm_variants,
        "group norm + silu": norm_variants,
        "attention": attention_variants,
    }[case["op"]]
    for name, prepare in make(case, DTYPES[precision], timer.device):
        for as_graph in (False, True) if timer.on_gpu else (False,):
            variant = name + (", CUDA graph" if as_graph else ", eager")
            try:
                copies = [prepare()]
                bytes_of_one = operand_bytes(case, DTYPES[precision])
                while timer.on_gpu and len(copies) < min(MOST_COPIES, CACHE_BYTES / bytes_of_one):
                    copies.append(prepare())
                yield variant, timer.op_seconds(copies, as_graph)
            except Exception as error:  # noqa: BLE001: one variant ends no table
                place = f"{case['case']}, {case['pass']}, {variant}"
                print(f"baseline_torch_gpu: {place}: {error}", file=sys.stderr)


def operand_bytes(case: dict, dtype: torch.dtype) -> float:
    s, size = case["shape"], dtype.itemsize
    if case["op"] == "conv":
        x = s["n"] * s["side"] ** 2 * s["c"]
        grown = s["side"] * s["stride"] if s["transposed"] else s["side"] / s["stride"]
        return size * (x + s["n"] * grown**2 * s["o"] + s["o"] * s["c"] * s["k"] ** 2)
    if case["op"] == "attention":
        tokens = 2 * s["queries"] + 2 * s["keys"]
        return size * s["b"] * s["heads"] * s["d"] * tokens
    rows = s["rows"] if "rows" in s else s["n"] * s["pixels"]
    return 2 * size * rows * s["c"]


def conv_variants(
    case: dict, dtype: torch.dtype, device: str
) -> Iterator[tuple[str, Callable[[], Step]]]:
    for name, prepare in baseline_convs.variants(case["shape"], case["pass"], dtype, device):
        yield name, lambda prepare=prepare: without_grad(prepare())


def without_grad(step: Step) -> Step:
    def run() -> object:
        with torch.no_grad():
            return step()

    return run


def norm_variants(
    case: dict, dtype: torch.dtype, device: str
) -> Iterator[tuple[str, Callable[[], Step]]]:
    for name, memory_format in FORMATS.items():
        for compiled in (False, True) if device == "cuda" else (False,):
            yield (
                name + (", compiled" if compiled else ""),
                lambda memory_format=memory_format, compiled=compiled: norm(
                    case, dtype, device, memory_format, compiled
                ),
            )


def norm(
    case: dict,
    dtype: torch.dtype,
    device: str,
    memory_format: torch.memory_format,
    compiled: bool,
) -> Step:
    s = case["shape"]
    c = s["c"]
    batch = "rows" in s
    # Rows of a batch norm are images of 7x7, whose number divides all of them.
    side = 7 if batch else round(s["pixels"] ** 0.5)
    n = s["rows"] // side**2 if batch else s["n"]
    x = torch.randn(n, c, side, side, device=device, dtype=dtype)
    x = x.to(memory_format=memory_format).requires_grad_()
    weight, bias = (torch.randn(c, device=device, dtype=dtype).requires_grad_() for _ in range(2))
    mean, var = torch.zeros(c, device=device), torch.ones(c, device=device)
    if dtype != torch.float32:  # cuDNN and the native kernels keep f32 parameters for 16-bit x
        weight, bias = (p.detach().float().requires_grad_() for p in (weight, bias))

    def forward() -> Tensor:
        if batch:
            return F.gelu(F.batch_norm(x, mean, var, weight, bias, training=True))
        return F.silu(F.group_norm(x, s["groups"], weight.to(dtype), bias.to(dtype)))

    run = torch.compile(forward) if compiled else forward
    if case["pass"] == "forward":
        return without_grad(run)
    dy = torch.randn_like(x)
    operands = (x, weight, bias)
    return lambda: torch.autograd.grad(run(), operands, dy)


def attention_variants(
    case: dict, dtype: torch.dtype, device: str
) -> Iterator[tuple[str, Callable[[], Step]]]:
    backends = {
        "cuDNN": SDPBackend.CUDNN_ATTENTION,
        "flash": SDPBackend.FLASH_ATTENTION,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
        "math": SDPBackend.MATH,
    }
    for name, backend in backends.items():
        if device == "cpu" and name != "math":
            continue
        yield name, lambda backend=backend: attention(case, dtype, device, backend)


def attention(case: dict, dtype: torch.dtype, device: str, backend: SDPBackend) -> Step:
    s = case["shape"]

    def tokens(count: int) -> Tensor:
        size = (s["b"], s["heads"], count, s["d"])
        return torch.randn(*size, device=device, dtype=dtype).requires_grad_()

    q, k, v = tokens(s["queries"]), tokens(s["keys"]), tokens(s["keys"])
    d_o = torch.randn_like(q)

    def forward() -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v)

    if case["pass"] == "forward":
        return without_grad(forward)
    return lambda: torch.autograd.grad(forward(), (q, k, v), d_o)
