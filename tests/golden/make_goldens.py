#!/usr/bin/env python3
"""Writes the golden files of this folder. README.md describes what they hold.

  make_goldens.py [--venv DIR] [PART...]     all parts when none is named

Needs torch, torchvision, diffusers, Pillow, scipy, scikit-image, sentencepiece, transformers, numpy and safetensors. Where
they are missing it makes a virtual environment (--venv DIR, default ~/.cache/ebb/peer-venv), says so,
and runs itself there.
"""

import argparse
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import baseline_env

baseline_env.require_packages(
    usage=__doc__,
    extra={
        "torchvision": "torchvision",
        "diffusers": "diffusers",
        "PIL": "Pillow",
        "scipy": "scipy",
        "skimage": "scikit-image",
        "sentencepiece": "sentencepiece",
        "transformers": "transformers",
    },
)

import diffusers  # noqa: E402
import numpy as np  # noqa: E402
import PIL  # noqa: E402
import safetensors  # noqa: E402
import scipy  # noqa: E402
import skimage  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from checkpoint_goldens import write_checkpoint_goldens  # noqa: E402
from command_goldens import write_command_goldens  # noqa: E402
from diffusers_goldens import write_diffusers_goldens  # noqa: E402
from metric_goldens import write_metric_goldens  # noqa: E402
from network_goldens import write_network_goldens  # noqa: E402
from image_goldens import write_picture_goldens  # noqa: E402
from original_names_goldens import write_original_names_goldens  # noqa: E402
from pipeline_goldens import write_pipeline_goldens  # noqa: E402
from sampler_goldens import write_sampler_goldens  # noqa: E402
from scheduler_goldens import write_scheduler_goldens  # noqa: E402
from schedule_goldens import write_schedule_goldens  # noqa: E402
from applications_goldens import write_toolbox_goldens  # noqa: E402
from state_dict_goldens import write_state_dict_goldens  # noqa: E402
from t5_goldens import write_t5_goldens  # noqa: E402
from tokenizer_goldens import write_tokenizer_goldens  # noqa: E402
from training_goldens import write_training_goldens  # noqa: E402
from applications_networks import write_trained_networks  # noqa: E402
from unet_goldens import write_unet_goldens  # noqa: E402


PARTS = (
    "networks", "unet", "diffusers", "schedules", "schedulers", "samplers", "trained", "toolbox", "commands",
    "pictures", "metrics", "checkpoints", "pipelines", "tokenizers", "state_dicts",
    "training", "original_names", "t5",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[baseline_env.venv_flag()],
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="one of " + ", ".join(PARTS))
    parts = parser.parse_args().parts
    if not set(parts) <= set(PARTS):
        parser.error("PART must be one of " + ", ".join(PARTS))
    numpy_versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }
    torch_versions = numpy_versions | {
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    torchvision_version = {"torchvision": torchvision.__version__}
    diffusers_version = {"diffusers": diffusers.__version__}
    pillow_version = {"pillow": PIL.__version__}
    metric_versions = {"scipy": scipy.__version__, "scikit-image": skimage.__version__}
    writers = {
        "networks": lambda: write_network_goldens(torch_versions),
        "unet": lambda: write_unet_goldens(torch_versions),
        "diffusers": lambda: write_diffusers_goldens(torch_versions | diffusers_version),
        "schedules": lambda: write_schedule_goldens(numpy_versions),
        "schedulers": lambda: write_scheduler_goldens(torch_versions | diffusers_version),
        "samplers": lambda: write_sampler_goldens(torch_versions | diffusers_version),
        "trained": lambda: write_trained_networks(torch_versions),
        "toolbox": lambda: write_toolbox_goldens(torch_versions | torchvision_version),
        "commands": lambda: write_command_goldens(torch_versions | torchvision_version),
        "pictures": lambda: write_picture_goldens(
            torch_versions | torchvision_version | pillow_version
        ),
        "metrics": lambda: write_metric_goldens(numpy_versions | metric_versions),
        "tokenizers": write_tokenizer_goldens,
        "state_dicts": lambda: write_state_dict_goldens(torch_versions),
        "original_names": lambda: write_original_names_goldens(torch_versions | diffusers_version),
        "training": lambda: write_training_goldens(torch_versions | diffusers_version),
        "t5": lambda: write_t5_goldens(torch_versions),
        "checkpoints": lambda: write_checkpoint_goldens(torch_versions | diffusers_version),
        "pipelines": lambda: write_pipeline_goldens(torch_versions | diffusers_version),
    }
    for part in parts or PARTS:
        writers[part]()


if __name__ == "__main__":
    main()
