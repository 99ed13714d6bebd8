"""GIF animations, decoded with the standard library alone."""

from pathlib import Path
from typing import NamedTuple


class Frame(NamedTuple):
    width: int
    height: int
    pixels: list  # (red, green, blue), [height * width]


def read_gif(path: Path) -> list:
    """The frames, each of which must cover the whole image and bring or share a palette."""
    data = path.read_bytes()
    assert data[:6] == b"GIF89a", f"{path} is no GIF"
    width, height = (int.from_bytes(data[at : at + 2], "little") for at in (6, 8))
    common, at = palette(data, 13, data[10])
    frames = []
    while data[at] != 0x3B:
        if data[at] == 0x21:  # an extension
            _, at = blocks(data, at + 2)
            continue
        assert data[at] == 0x2C, f"{path}: block {data[at]:#x}"
        own, start = palette(data, at + 10, data[at + 9])
        stream, at = blocks(data, start + 1)
        indices = unpack(stream, data[start])
        colors = own or common
        assert len(indices) == width * height, f"{path}: a frame of {len(indices)} pixels"
        frames.append(Frame(width, height, [colors[i] for i in indices]))
    return frames


def palette(data: bytes, at: int, flags: int) -> tuple:
    """The colors that follow when the flags say so, and where they end."""
    count = 2 << (flags & 7) if flags & 0x80 else 0
    end = at + 3 * count
    return [tuple(data[i : i + 3]) for i in range(at, end, 3)], end


def blocks(data: bytes, at: int) -> tuple:
    """The joined data of the sub-blocks that start here, and where they end."""
    joined = b""
    while data[at]:
        joined += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return joined, at + 1


def unpack(stream: bytes, code_size: int) -> bytes:
    """LZW with codes of growing width (GIF89a, appendix F)."""
    clear, stop = 1 << code_size, (1 << code_size) + 1
    table, width, before = [], code_size + 1, None
    bits = held = 0
    pixels = bytearray()
    for byte in stream:
        bits |= byte << held
        held += 8
        while held >= width:
            code = bits & ((1 << width) - 1)
            bits >>= width
            held -= width
            if code == clear:
                table = [bytes([i]) for i in range(clear)] + [b"", b""]
                width, before = code_size + 1, None
                continue
            if code == stop:
                return bytes(pixels)
            entry = table[code] if code < len(table) else before + before[:1]
            if before is not None:
                table.append(before + entry[:1])
            if len(table) == 1 << width and width < 12:
                width += 1
            pixels += entry
            before = entry
    raise AssertionError("the data ends without its end code")
