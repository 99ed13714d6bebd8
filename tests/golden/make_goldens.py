#!/usr/bin/env python3
"""Writes the golden files of this folder. README.md describes what they hold.

  make_goldens.py [--venv DIR]

Needs torch, numpy and safetensors. Where they are missing it makes a virtual environment
(--venv DIR, default ~/.cache/ebb/peer-venv), says so, and runs itself there.
"""

import argparse
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import peer_env

peer_env.require_packages(usage=__doc__)

import numpy as np  # noqa: E402
import safetensors  # noqa: E402
import torch  # noqa: E402
from network_goldens import write_network_goldens  # noqa: E402
from schedule_goldens import write_schedule_goldens  # noqa: E402


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[peer_env.venv_flag()],
    ).parse_args()
    numpy_versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }
    write_network_goldens(
        numpy_versions
        | {
            "torch": torch.__version__,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }
    )
    write_schedule_goldens(numpy_versions)


if __name__ == "__main__":
    main()
