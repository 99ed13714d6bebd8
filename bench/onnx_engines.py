"""Guided DDPM steps on ONNX Runtime and OpenVINO, f32 on the CPU. Needs no PyTorch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Array = np.ndarray
Run = Callable[[dict[str, Array]], Array]

IMAGE_SHAPE = (1, 28, 28)
CLASSES = 10
TIMESTEPS, BETA_START, BETA_END = 300, 1e-4, 0.02
GUIDANCE_SCALE = 5.0

# Of the directory that onnx_export.py fills.
NETWORK, GRAPH, SHARED, CHECK = "network.onnx", "graph.onnx", "shared.onnx", "check.npz"
GUIDANCE = {
    "two-calls": "each branch in a call, guidance and update in numpy",
    "batched": "both branches in one call, guidance and update in numpy",
    "graph": "the whole step as one graph, both branches in one batch",
    "shared": "as graph, with what does not depend on the class computed once",
}
TOLERANCE = 1e-4  # of a guided prediction; bfloat16 is 100 times further away


def open_onnxruntime(path: Path, batch: int, threads: int) -> tuple[Run, str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("n", batch)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0], onnxruntime.__version__


def open_openvino(path: Path, batch: int, threads: int) -> tuple[Run, str]:
    """In f32 whatever the CPU has: the default is bfloat16 where that is faster."""
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    shapes = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        if shape[0].is_dynamic:
            shape[0] = batch
        shapes[port.any_name] = shape
    model.reshape(shapes)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()

    def run(inputs: dict[str, Array]) -> Array:
        return request.infer(inputs, share_inputs=True, share_outputs=True)[0]

    return run, openvino.__version__.split("-")[0]


ENGINES = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}


class GuidedSampler:
    """Steps of DDPM for a batch of labels, by one of GUIDANCE."""

    def __init__(
        self, engine: str, directory: Path, guidance: str, labels: Array, threads: int
    ) -> None:
        self.guidance = guidance
        self.n = len(labels)
        self.c = np.eye(CLASSES, dtype=np.float32)[labels]
        self.no_class = np.zeros_like(self.c)
        self.both = np.concatenate([self.no_class, self.c])
        name = {"graph": GRAPH, "shared": SHARED}.get(guidance, NETWORK)
        batch = self.n * (2 if guidance == "batched" else 1)
        self.run, self.version = ENGINES[engine](directory / name, batch, threads)

    def step(self, x: Array, time: float, factors: Array, noise: Array) -> Array:
        """factors[0] * x + factors[1] * prediction + factors[2] * noise."""
        t = np.full((self.n, 1), time, np.float32)
        if self.guidance in ("graph", "shared"):
            inputs = {"x": x, "t": t, "c": self.c, "noise": noise, "factors": factors}
            return self.run(inputs).copy()  # an engine may write its next answer there
        if self.guidance == "batched":
            twice = {"x": np.concatenate([x, x]), "t": np.concatenate([t, t]), "c": self.both}
            unconditional, conditional = np.split(self.run(twice), 2)
        else:
            unconditional = self.run({"x": x, "t": t, "c": self.no_class}).copy()
            conditional = self.run({"x": x, "t": t, "c": self.c})
        prediction = unconditional + np.float32(GUIDANCE_SCALE) * (conditional - unconditional)
        return factors[0] * x + factors[1] * prediction + factors[2] * noise

    def states(self, seed: int) -> Iterator[Array]:
        """The images after each step from pure noise."""
        random = np.random.default_rng(seed)
        x = random.standard_normal((self.n, *IMAGE_SHAPE), np.float32)
        for k, factors in zip(range(TIMESTEPS, 0, -1), step_factors()):
            noise = random.standard_normal(x.shape, np.float32)
            x = self.step(x, k / TIMESTEPS, factors, noise)
            yield x


def step_factors() -> list[Array]:
    """The DDPM update as factors of x, prediction and noise, of timesteps T..1 in turn."""
    beta = np.linspace(BETA_START, BETA_END, TIMESTEPS)
    alpha_bar = np.concatenate([[1.0], np.cumprod(1 - beta)])
    factors = []
    for k in range(TIMESTEPS, 0, -1):
        ab, ab_next = alpha_bar[k], alpha_bar[k - 1]
        alpha, beta_k = ab / ab_next, 1 - ab / ab_next
        of_x0 = ab_next**0.5 * beta_k / (1 - ab)
        of_x = alpha**0.5 * (1 - ab_next) / (1 - ab) + of_x0 / ab**0.5
        of_prediction = -of_x0 * ((1 - ab) / ab) ** 0.5
        of_noise = beta_k**0.5 if k > 1 else 0.0
        factors.append(np.array([of_x, of_prediction, of_noise], np.float32))
    return factors


def check_prediction(sampler: GuidedSampler, directory: Path) -> float:
    """The largest difference from PyTorch's guided prediction; ValueError above TOLERANCE."""
    with np.load(directory / CHECK) as file:
        known = {name: np.resize(file[name], (sampler.n, *file[name].shape[1:])) for name in file}
    if not np.array_equal(known["c"], sampler.c):
        raise ValueError(f"{directory / CHECK}: other classes than those of the batch")
    noise, factors = np.zeros_like(known["x"]), np.array([0, 1, 0], np.float32)
    actual = sampler.step(known["x"], float(known["t"][0, 0]), factors, noise)
    error = float(np.abs(actual - known["prediction"]).max())
    if not error <= TOLERANCE:
        raise ValueError(f"the prediction is {error:.1e} from PyTorch's, expected {TOLERANCE:.0e}")
    return error
