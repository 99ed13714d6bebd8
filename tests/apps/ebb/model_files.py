"""Model files and references for tests of the programs, from the golden networks.

tests/golden/mnist_*.safetensors hold parameters and inference outputs that PyTorch computed.
"""

import json
import struct
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

GOLDEN = Path(__file__).resolve().parents[2] / "golden"

DDPM = {"type": "ddpm", "timesteps": 300, "beta_start": 1e-4, "beta_end": 0.02}


class Stored(NamedTuple):
    dtype: str
    shape: list
    data: bytes


Tensors = Dict[str, Stored]


def read_safetensors(path: Path) -> Tuple[Tensors, Dict[str, str]]:
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = Stored(entry["dtype"], entry["shape"], content[start + begin : start + end])
    return tensors, metadata


def write_safetensors(path: Path, tensors: Tensors, metadata: Dict[str, str]) -> None:
    header, offset = {"__metadata__": metadata}, 0
    for name, stored in tensors.items():
        end = offset + len(stored.data)
        header[name] = {
            "dtype": stored.dtype,
            "shape": stored.shape,
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(stored.data for stored in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_model(path: Path, golden: str = "mnist_class", objective=None) -> None:
    """A model file as a Python program would write it, with the statistics of inference."""
    tensors, metadata = read_safetensors(GOLDEN / f"{golden}.safetensors")
    params = after_prefix(tensors, "param.") | after_prefix(tensors, "eval.stats.")
    write_safetensors(
        path,
        params,
        {
            "format": "pt",
            "ebb.format": "1",
            "ebb.model": metadata["ebb.model"],
            "ebb.objective": json.dumps(objective or DDPM),
        },
    )


def write_reference(path: Path, golden: str = "mnist_class") -> None:
    tensors, _ = read_safetensors(GOLDEN / f"{golden}.safetensors")
    inputs = {name: value for name, value in tensors.items() if name.startswith("input.")}
    outputs = after_prefix(tensors, "eval.")
    layers = {name: value for name, value in outputs.items() if not name.startswith("stats.")}
    write_safetensors(path, inputs | layers, {})


def change_weight(path: Path, name: str, difference: float) -> None:
    """Adds to the first element of an F32 tensor."""
    tensors, metadata = read_safetensors(path)
    stored = tensors[name]
    first = struct.unpack("<f", stored.data[:4])[0] + difference
    tensors[name] = stored._replace(data=struct.pack("<f", first) + stored.data[4:])
    write_safetensors(path, tensors, metadata)


def after_prefix(tensors: Tensors, prefix: str) -> Tensors:
    return {name[len(prefix) :]: v for name, v in tensors.items() if name.startswith(prefix)}
