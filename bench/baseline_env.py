"""The Python environment of the peer programs.

PyTorch, ONNX Runtime and OpenVINO are what ebb is compared with. Nothing in ebb needs them to build
or run.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("torch", "numpy", "safetensors")
# By what is imported: the name on PyPI. torch.onnx needs the first two, the engines are the others.
ONNX_PACKAGES = {name: name for name in ("onnx", "onnxscript", "onnxruntime", "openvino")}
DEFAULT_VENV = Path.home() / ".cache" / "ebb" / "peer-venv"


def venv_flag() -> argparse.ArgumentParser:
    """The --venv flag, to be used as a parent of a program's own parser."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--venv",
        type=Path,
        default=DEFAULT_VENV,
        metavar="DIR",
        help="virtual environment made and used when this Python has no PyTorch "
        "(default: %(default)s)",
    )
    return parser


def require_packages(usage: str, extra: Mapping[str, str] | None = None) -> None:
    """Returns when the packages are importable; else runs the program again in the venv.

    extra: what the program imports besides PACKAGES, with its name on PyPI.

    Makes the environment first when it is missing. A call for --help installs nothing: it
    prints `usage` and exits.
    """
    packages = {package: package for package in PACKAGES} | dict(extra or {})
    if all(importlib.util.find_spec(package) for package in packages):
        return
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(usage.strip())
        sys.exit(0)
    options, _ = venv_flag().parse_known_args()
    python = options.venv / "bin" / "python"
    if not _has_packages(python, packages):
        _install(options.venv, python, packages)
    os.execv(python, [str(python), *sys.orig_argv[1:]])


def _has_packages(python: Path, packages: Mapping[str, str]) -> bool:
    if not python.exists():
        return False
    # Found, not imported: that would take as long as the start of the program that asks.
    statement = (
        "import importlib.util as u, sys; "
        f"sys.exit(not all(u.find_spec(name) for name in {list(packages)}))"
    )
    return subprocess.run([python, "-c", statement], capture_output=True).returncode == 0


def _install(venv: Path, python: Path, packages: Mapping[str, str]) -> None:
    names = packages.values()
    print(
        f"This Python lacks a package. Installing {', '.join(names)} from PyPI into {venv} "
        "(about 5 GB with PyTorch's CUDA libraries); remove that directory to undo it.",
        file=sys.stderr,
    )
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, stdout=sys.stderr)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *names], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"{venv}: the environment could not be made (exit {error.returncode}, see above). "
            "It needs the network and, on Debian, the package python3-venv."
        )


def peak_rss_mb() -> float:
    """Largest resident size of this process in MB (1e6 bytes).

    From /proc, because getrusage() starts with the size of the process that called exec().
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status has no VmHWM")
