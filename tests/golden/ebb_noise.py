"""ebb's random numbers in numpy: Philox 4x32-10 (Salmon et al. 2011) and Box-Muller in f64.

kernels/philox.h says which counter belongs to which number. ebb's f32 formula is within 2e-6 of this.
"""

import numpy as np

START, SAMPLER, REFERENCE = 5, 6, 8  # RandomStream of kernels/random.h
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter: list[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """The four words of each counter; all arrays uint64 below 2^32."""
    c0, c1, c2, c3 = counter
    key0, key1 = key
    for _ in range(10):
        product0 = np.uint64(MULTIPLIERS[0]) * c0
        product1 = np.uint64(MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = (
            (product1 >> HALF) ^ c1 ^ np.uint64(key0),
            product1 & LOW,
            (product0 >> HALF) ^ c3 ^ np.uint64(key1),
            product0 & LOW,
        )
        key0 = (key0 + WEYL[0]) & 0xFFFFFFFF
        key1 = (key1 + WEYL[1]) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def normal(stream: int, image: int, step: int, elements: int) -> np.ndarray:
    """[elements] standard normals of the image with this seed, rounded to f32."""
    blocks = np.arange((elements + 3) // 4, dtype=np.uint64)
    fill = np.ones_like(blocks)
    words = philox(
        [
            blocks,
            fill * np.uint64(step),
            fill * np.uint64(image & 0xFFFFFFFF),
            fill * np.uint64(stream << 24 | image >> 32),
        ],
        key=(0, 0),
    )
    values = np.empty((len(blocks), 4))
    for pair in (0, 1):
        radius = np.sqrt(-2 * np.log((words[2 * pair] >> np.uint64(1) | np.uint64(1)) / 2**31))
        angle = 2 * np.pi * words[2 * pair + 1] / 2**32
        values[:, 2 * pair] = radius * np.cos(angle)
        values[:, 2 * pair + 1] = radius * np.sin(angle)
    return values.reshape(-1)[:elements].astype(np.float32)


def image_noise(stream: int, first_seed: int, step: int, shape: tuple[int, ...]) -> np.ndarray:
    """[N, C, H, W] f32; image i has seed first_seed + i. ebb counts elements in HWC order."""
    n, c, h, w = shape
    images = [normal(stream, first_seed + i, step, h * w * c).reshape(h, w, c) for i in range(n)]
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
