"""Golden files of the noise schedules, of single sampler steps and of GELU, in double precision.

Written from the formulas with numpy and the standard library; independent of PyTorch and of ebb.
"""

import math

import numpy as np
from golden_file import write_golden

DDPM_TIMESTEPS, DDPM_BETA_START, DDPM_BETA_END = 300, 1e-4, 0.02
DDPM_STEPS = (299, 120, 0)
DDIM_STEPS = ((299, 269), (120, 90), (20, -1))  # from, to; -1 is the clean image
FLOW_STEPS = 50
SAMPLE_SHAPE = (2, 1, 28, 28)

IF_TIMESTEPS = 1000
IF_COURSE_TIMESTEPS = range(990, -1, -30)
SEED = 1

Arrays = dict[str, np.ndarray]


def write_schedule_goldens(versions: dict[str, str]) -> None:
    rng = np.random.default_rng(SEED)
    metadata = {"ebb.golden": {"seed": SEED, **versions}}
    write_golden("schedules", {**ddpm_tables(), **if_tables()}, metadata)
    write_golden("sampler_steps", sampler_steps(rng), metadata)
    write_golden("gelu", gelu(rng), metadata)


def ddpm_tables() -> Arrays:
    """Linear schedule of the assignment; entry k belongs to timestep k + 1 of 300."""
    beta = np.linspace(DDPM_BETA_START, DDPM_BETA_END, DDPM_TIMESTEPS)
    alpha = 1 - beta
    alpha_bar = np.cumprod(alpha)
    expect_close(alpha_bar[150], 0.46235, 2e-5)
    expect_close(alpha_bar[299], 0.048058, 2e-5)
    return {"ddpm.beta": beta, "ddpm.alpha": alpha, "ddpm.alpha_bar": alpha_bar}


def if_tables() -> Arrays:
    """squaredcos_cap_v2 of DeepFloyd IF (Nichol & Dhariwal 2021) and the course's 33 steps.

    A step goes from t to t' (alpha_bar to alpha_bar'), with alpha = alpha_bar / alpha_bar' and
    beta = 1 - alpha: x_t' = c_x0 x0 + c_xt x_t + exp(log_variance / 2) z, where log_variance
    lies between its min and max by the network's estimate.
    """
    time = np.arange(IF_TIMESTEPS + 1) / IF_TIMESTEPS
    cosine = np.cos((time + 0.008) / 1.008 * np.pi / 2) ** 2
    beta_table = np.minimum(1 - cosine[1:] / cosine[:-1], 0.999)
    alpha_bar_table = np.cumprod(1 - beta_table)

    timesteps = np.array(IF_COURSE_TIMESTEPS)
    alpha_bar = alpha_bar_table[timesteps]
    ab, ab_next = alpha_bar[:-1], alpha_bar[1:]
    alpha = ab / ab_next
    beta = 1 - alpha
    steps = {
        "alpha": alpha,
        "beta": beta,
        "c_x0": np.sqrt(ab_next) * beta / (1 - ab),
        "c_xt": np.sqrt(alpha) * (1 - ab_next) / (1 - ab),
        "log_variance_min": np.log((1 - ab_next) / (1 - ab) * beta),
        "log_variance_max": np.log(beta),
    }
    expect_close(alpha_bar[0], 0.00019671738, 1e-7)
    expect_close(alpha_bar[33], 0.999958716, 1e-9)
    published = (0.844250, 0.155750, 0.099953, 0.872536, -1.9112, -1.8595)  # t = 690
    for column, value in zip(steps.values(), published, strict=True):
        expect_close(column[10], value, 1e-4)
    return {
        "if.beta": beta_table,
        "if.alpha_bar": alpha_bar_table,
        "if.course.timestep": timesteps.astype(np.int32),
        "if.course.alpha_bar": alpha_bar,
        **{f"if.course.{name}": column for name, column in steps.items()},
    }


def sampler_steps(rng: np.random.Generator) -> Arrays:
    """Single updates of x by a given prediction; inputs are f32 values, results double."""
    inputs = {
        name: rng.standard_normal(SAMPLE_SHAPE, np.float32) for name in ("x", "prediction", "noise")
    }
    x, prediction, noise = (value.astype(np.float64) for value in inputs.values())
    tables = ddpm_tables()
    beta, alpha = tables["ddpm.beta"], tables["ddpm.alpha"]
    alpha_bar = np.append(tables["ddpm.alpha_bar"], 1.0)  # [-1] is the clean image
    golden: Arrays = dict(inputs)

    def clean(k: int) -> np.ndarray:
        return (x - np.sqrt(1 - alpha_bar[k]) * prediction) / np.sqrt(alpha_bar[k])

    for k in DDPM_STEPS:
        ab, ab_next = alpha_bar[k], alpha_bar[k - 1]
        mean = np.sqrt(ab_next) * beta[k] * clean(k) + np.sqrt(alpha[k]) * (1 - ab_next) * x
        z = noise if k > 0 else 0.0
        golden[f"ddpm.from_{k}"] = mean / (1 - ab) + np.sqrt(beta[k]) * z
    for k, k_next in DDIM_STEPS:
        ab_next = alpha_bar[k_next]
        target = "clean" if k_next < 0 else str(k_next)
        golden[f"ddim.from_{k}_to_{target}"] = (
            np.sqrt(ab_next) * clean(k) + np.sqrt(1 - ab_next) * prediction
        )
    golden["flow.euler"] = x + prediction / FLOW_STEPS
    return golden


def gelu(rng: np.random.Generator) -> Arrays:
    """x Phi(x) and its derivative Phi(x) + x phi(x), from the tail function erfc.

    The arguments are a grid, both zeros, tiny values and random ones.
    """
    tiny = np.array([0.0, -0.0, 1e-38, -1e-38, 1e-20, -1e-20, 1e-6, -1e-6])
    x = np.concatenate([np.linspace(-12, 12, 385), tiny, 3 * rng.standard_normal(119)])
    x = x.astype(np.float32)
    cdf = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x.tolist()])
    density = np.exp(-0.5 * x.astype(np.float64) ** 2) / math.sqrt(2 * math.pi)
    return {"x": x, "y": x * cdf, "dy_dx": cdf + x * density}


def expect_close(actual: float, expected: float, relative: float) -> None:
    """Against the published digits of the schedules."""
    if not math.isclose(actual, expected, rel_tol=relative):
        raise ValueError(f"schedule value {actual}, published {expected}")
