"""Golden files of the metrics: scikit-image's structural similarity, scipy's Frechet distance."""

from collections.abc import Mapping

import numpy as np
from golden_file import write_golden
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity

SEED = 20
SSIM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
# Vectors in each set and their dimensions; the last sets are too small for a full covariance.
FRECHET_CASES = {"wide": (300, 200, 16), "one": (50, 40, 1), "singular": (400, 9, 16)}


def write_metric_goldens(versions: Mapping[str, str]) -> None:
    rng = np.random.default_rng(SEED)
    metadata = {"ebb.golden": {"seed": SEED, "ssim": SSIM, **versions}}
    write_golden("metrics", ssim_golden(rng) | frechet_golden(rng), metadata)


def ssim_golden(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Pairs of images from nearly equal to unrelated, some with values beyond 0..1."""
    rows, columns = np.mgrid[0:28, 0:28]
    a, b = [], []
    for i in range(8):
        centre = rng.uniform(8, 20, 2)
        stroke = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / 30)
        a.append(stroke)
        b.append(stroke + 0.04 * i * i * rng.standard_normal((28, 28)))
    a, b = np.float32(a), np.float32(b)
    value = [
        structural_similarity(x.astype(np.float64), y.astype(np.float64), **SSIM)
        for x, y in zip(a, b)
    ]
    return {"ssim.a": a, "ssim.b": b, "ssim.value": np.array(value)}


def frechet_golden(rng: np.random.Generator) -> dict[str, np.ndarray]:
    tensors = {}
    for name, (n, m, d) in FRECHET_CASES.items():
        mix = rng.standard_normal((d, d)) / np.sqrt(d)
        a = np.float32(rng.standard_normal((n, d)))
        b = np.float32(rng.standard_normal((m, d)) @ mix + rng.uniform(-1, 1, d))
        tensors |= {
            f"frechet.{name}.a": a,
            f"frechet.{name}.b": b,
            f"frechet.{name}.distance": np.array([frechet(a, b)]),
        }
    return tensors


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a = np.atleast_2d(np.cov(a, rowvar=False))
    cov_b = np.atleast_2d(np.cov(b, rowvar=False))
    root = np.real(sqrtm(cov_a @ cov_b))
    mean = a.mean(axis=0) - b.mean(axis=0)
    return float(mean @ mean + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root))
