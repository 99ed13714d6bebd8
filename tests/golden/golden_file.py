"""Writes golden files whose bytes depend on their content only."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy

FOLDER = Path(__file__).resolve().parent
MAX_BYTES = 1_000_000


def write_golden(name: str, tensors: dict[str, np.ndarray], metadata: Mapping[str, object]) -> None:
    """tests/golden/<name>.safetensors. Metadata values other than strings become JSON."""
    text = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
    data = with_sorted_metadata(safetensors.numpy.save(tensors, text))
    if len(data) > MAX_BYTES:
        raise ValueError(f"{name}: {len(data)} bytes, expected at most {MAX_BYTES}")
    path = FOLDER / f"{name}.safetensors"
    path.write_bytes(data)
    print(f"{path.name}: {len(tensors)} tensors, {len(data)} bytes")


def with_sorted_metadata(data: bytes) -> bytes:
    """The library writes the metadata's keys in an order that differs from run to run."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    assert len(text) <= size
    return data[:8] + text.ljust(size) + data[8 + size :]
