"""8-bit gray and RGB PNG files, read and written with the standard library alone."""

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
GRAY, RGB, RGBA = 0, 2, 6


class Image(NamedTuple):
    width: int
    height: int
    channels: int
    pixels: bytes  # [height][width][channels]


def read_png(path: Path) -> Image:
    content, at, data = path.read_bytes(), 8, b""
    width = height = color = 0
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        chunk = content[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", chunk)
            assert depth == 8 and interlace == 0, f"{path}: depth {depth}, interlace {interlace}"
        elif kind == b"IDAT":
            data += chunk
        at += 12 + length
    channels = CHANNELS[color]
    return Image(width, height, channels, unfilter(zlib.decompress(data), width, channels))


def unfilter(data: bytes, width: int, channels: int) -> bytes:
    """Undoes the five filters of a PNG's rows (PNG specification, section 9)."""
    stride = width * channels
    above, pixels = bytearray(stride), bytearray()
    for at in range(0, len(data), stride + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + stride])
        for i in range(stride):
            left = row[i - channels] if i >= channels else 0
            corner = above[i - channels] if i >= channels else 0
            row[i] = (row[i] + predicted(kind, left, above[i], corner)) & 255
        pixels += row
        above = row
    return bytes(pixels)


def predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        guess = left + above - corner
        return min((left, above, corner), key=lambda value: abs(guess - value))
    return (0, left, above, (left + above) // 2)[kind]


def write_png(path: Path, image: Image) -> None:
    color = {1: GRAY, 3: RGB, 4: RGBA}[image.channels]
    stride = image.width * image.channels
    rows = b"".join(
        b"\0" + image.pixels[at : at + stride] for at in range(0, len(image.pixels), stride)
    )
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, color, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )


def inverted(image: Image) -> Image:
    return image._replace(pixels=bytes(255 - value for value in image.pixels))
