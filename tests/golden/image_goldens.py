"""Golden files of picture work: Gaussian blur by torchvision, resizing, grey and JPEG by Pillow."""

import io
from typing import Any

import numpy as np
import torch
from golden_file import write_golden
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, gaussian_blur, resize

SEED = 7

# (N, C, H, W), kernel, sigma: those of the assignment, and kernels almost as large as the image.
BLURS = (
    ((1, 3, 64, 64), 33, 2.0),
    ((1, 1, 28, 28), 3, 0.5),
    ((1, 1, 28, 28), 5, 2.0),
    ((2, 1, 28, 28), 7, 1.0),
    ((1, 1, 28, 28), 9, 1.5),
    ((1, 1, 28, 28), 11, 2.0),
    ((1, 1, 28, 28), 25, 2.0),
    ((1, 1, 28, 28), 33, 2.0),
    ((1, 1, 28, 28), 55, 9.0),
    ((1, 3, 12, 20), 23, 4.0),
    ((1, 2, 20, 12), 5, 0.1),
    ((1, 1, 5, 7), 1, 1.0),
)

# mode, (width, height) from, (width, height) to.
RESIZES = (
    ("L", (28, 28), (28, 28)),
    ("L", (100, 37), (28, 28)),
    ("L", (28, 28), (64, 64)),
    ("L", (1, 1), (28, 28)),
    ("L", (200, 3), (28, 28)),
    ("L", (2, 250), (28, 28)),
    ("L", (31, 28), (28, 28)),
    ("RGB", (90, 61), (64, 64)),
    ("RGB", (5, 3), (28, 28)),
    ("RGB", (64, 64), (7, 5)),
    ("RGB", (57, 31), (28, 28)),
    ("RGB", (13, 17), (29, 41)),
)

# Shrunk or enlarged to the shorter side, then cropped: (width, height) from, side.
CROPS = (("L", (50, 31), 28), ("RGB", (33, 90), 28), ("RGB", (20, 23), 28), ("RGB", (28, 41), 28))

NEAREST = (("L", (50, 31), (28, 28)), ("L", (9, 14), (28, 28)), ("L", (28, 28), (28, 28)))

# name: mode, size and Pillow's settings for saving.
JPEGS: dict[str, tuple[str, tuple[int, int], dict[str, Any]]] = {
    "grey": ("L", (33, 17), {"quality": 75}),
    "grey_dot": ("L", (1, 1), {"quality": 90}),
    "rgb_420": ("RGB", (37, 29), {"quality": 75, "subsampling": "4:2:0"}),
    "rgb_422": ("RGB", (29, 37), {"quality": 60, "subsampling": "4:2:2"}),
    "rgb_444": ("RGB", (40, 24), {"quality": 95, "subsampling": "4:4:4"}),
    "rgb_progressive": ("RGB", (50, 41), {"quality": 80, "progressive": True, "optimize": True}),
    "rgb_restart": ("RGB", (48, 48), {"quality": 50, "restart_marker_rows": 1}),
    "rgb_photo": ("RGB", (120, 90), {"quality": 85}),
}

ORIENTATION_TAG = 0x0112

Arrays = dict[str, np.ndarray]


def write_picture_goldens(versions: dict[str, str]) -> None:
    rng = np.random.default_rng(SEED)
    metadata = {"ebb.golden": {"seed": SEED, **versions}}
    write_golden("blur", blurs(rng), metadata)
    write_golden("resize", resizes(rng) | conversions(rng), metadata)
    write_golden("jpeg", jpegs(rng), metadata)


def blurs(rng: np.random.Generator) -> Arrays:
    """NCHW; computed in f64 from f32 pixels in [-1, 1]. Names: index.kernel.sigma."""
    golden: Arrays = {}
    for i, (shape, kernel, sigma) in enumerate(BLURS):
        x = rng.uniform(-1, 1, shape).astype(np.float32)
        y = gaussian_blur(torch.from_numpy(x).double(), [kernel, kernel], [sigma, sigma])
        name = f"{i:02d}.{kernel}.{sigma}"
        golden |= {f"{name}.x": x, f"{name}.y": y.numpy().astype(np.float32)}
    return golden


def resizes(rng: np.random.Generator) -> Arrays:
    """[H, W] or [H, W, C] bytes; Image.resize with its default filter, bicubic."""
    golden: Arrays = {}
    for mode, from_size, to_size in RESIZES:
        picture = drawing(rng, mode, from_size)
        name = f"{mode}.{from_size[0]}x{from_size[1]}_to_{to_size[0]}x{to_size[1]}"
        golden[f"resize.{name}.x"] = np.asarray(picture)
        golden[f"resize.{name}.y"] = np.asarray(picture.resize(to_size))
    for mode, from_size, side in CROPS:
        picture = drawing(rng, mode, from_size)
        name = f"{mode}.{from_size[0]}x{from_size[1]}_to_{side}"
        golden[f"crop.{name}.x"] = np.asarray(picture)
        golden[f"crop.{name}.y"] = np.asarray(
            center_crop(resize(picture, [side], InterpolationMode.BICUBIC), [side, side])
        )
    for mode, from_size, to_size in NEAREST:
        picture = drawing(rng, mode, from_size)
        name = f"{mode}.{from_size[0]}x{from_size[1]}_to_{to_size[0]}x{to_size[1]}"
        golden[f"nearest.{name}.x"] = np.asarray(picture)
        golden[f"nearest.{name}.y"] = np.asarray(
            picture.resize(to_size, Image.Resampling.NEAREST)
        )
    return golden


def conversions(rng: np.random.Generator) -> Arrays:
    """Image.convert("L"), and pictures with alpha over white and over black."""
    colour = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    golden = {"grey.x": colour, "grey.y": np.asarray(Image.fromarray(colour).convert("L"))}
    see_through = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    see_through[:8, :, 3], see_through[8:16, :, 3] = 0, 255
    golden["alpha.x"] = see_through
    picture = Image.fromarray(see_through)
    for name, level in (("white", 255), ("black", 0)):
        behind = Image.new("RGBA", picture.size, (level, level, level, 255))
        golden[f"alpha.{name}"] = np.asarray(
            Image.alpha_composite(behind, picture).convert("RGB")
        )
    return golden


def jpegs(rng: np.random.Generator) -> Arrays:
    """`file` is the bytes of a JPEG file, `pixels` what Pillow's libjpeg-turbo decodes it to."""
    golden: Arrays = {}
    for name, (mode, size, settings) in JPEGS.items():
        file = io.BytesIO()
        drawing(rng, mode, size).save(file, "JPEG", **settings)
        golden[f"{name}.file"] = np.frombuffer(file.getvalue(), np.uint8)
        golden[f"{name}.pixels"] = np.asarray(Image.open(file))
    for orientation in range(1, 9):
        file = io.BytesIO()
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        drawing(rng, "RGB", (11, 6)).save(file, "JPEG", quality=90, exif=exif)
        name = f"turned_{orientation}"
        golden[f"{name}.file"] = np.frombuffer(file.getvalue(), np.uint8)
        golden[f"{name}.pixels"] = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    return golden


def drawing(rng: np.random.Generator, mode: str, size: tuple[int, int]) -> Image.Image:
    """Slopes with a sharp disc and some noise: edges overshoot, noise reaches both ends."""
    width, height = size
    channels = len(mode)
    rows, columns = np.mgrid[0:height, 0:width]
    values = np.empty((height, width, channels))
    for c in range(channels):
        across, down, level = rng.uniform(-120, 120, 3)
        values[..., c] = 128 + level + across * columns / width + down * rows / height
        centre_y, centre_x = rng.uniform(0.2, 0.8, 2) * (height, width)
        radius = 0.3 * min(width, height) + 0.5
        inside = (rows - centre_y) ** 2 + (columns - centre_x) ** 2 < radius**2
        values[..., c][inside] = rng.choice([0.0, 255.0])
    values += rng.normal(0, 12, values.shape)
    pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
