"""Small UNets of diffusers under the names of their authors' files (guided-diffusion, DeepFloyd IF): the renaming of
diffusers' conversion scripts, the other way. original_names/NAME.safetensors holds the tensors; its metadata has
the config.json of the network, the width of a head and the SHA-256 of every tensor under diffusers' name."""

import hashlib
import json
import re
from pathlib import Path

import diffusers
import torch
from golden_file import write_golden
from torch import Tensor

HEAD = 8
FOLDER = Path(__file__).resolve().parent / "original_names"

OUTSIDE = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "encoder_hid_proj": "encoder_proj",
    "add_embedding.norm1": "encoder_pooling.0",
    "add_embedding.proj": "encoder_pooling.2",
    "add_embedding.norm2": "encoder_pooling.3",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
IN_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
IN_ATTENTION = {"group_norm": "norm", "norm_cross": "norm_encoder", "to_out.0": "proj_out"}
BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)$")
MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)$")


class Levels:
    """Resnets of each level of a side, and which levels attend."""

    def __init__(self, names: list[str], side: str):
        self.resnets: dict[int, int] = {}
        self.attends: set[int] = set()
        for found in filter(None, map(BLOCK.match, names)):
            if found[1] == side and found[3] == "resnets":
                level, index = int(found[2]), int(found[4])
                self.resnets[level] = max(self.resnets.get(level, 0), index + 1)
            elif found[1] == side and found[3] == "attentions":
                self.attends.add(int(found[2]))

    def before(self, level: int, extra: int) -> int:
        return sum(self.resnets[i] + extra for i in range(level))


def original_names(weights: dict[str, Tensor], order: str) -> dict[str, Tensor]:
    down, up = Levels(list(weights), "down"), Levels(list(weights), "up")
    renamed: dict[str, Tensor] = {}
    joined: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, value in weights.items():
        if name == "class_embedding.weight":
            renamed["label_emb.weight"] = value
            continue
        if name.startswith("add_embedding.pool."):
            renamed["encoder_pooling.1." + name.removeprefix("add_embedding.pool.")] = value
            continue
        module, leaf = name.rsplit(".", 1)
        if module in OUTSIDE:
            renamed[f"{OUTSIDE[module]}.{leaf}"] = value
            continue
        place, rest = place_of(module, down, up)
        if rest in IN_RESNET:
            renamed[f"{place}.{IN_RESNET[rest]}.{leaf}"] = value
        elif rest in IN_ATTENTION:
            is_conv = rest == "to_out.0" and leaf == "weight"
            renamed[f"{place}.{IN_ATTENTION[rest]}.{leaf}"] = value[:, :, None] if is_conv else value
        else:
            joined.setdefault((place, leaf), {})[rest] = value
    for (place, leaf), parts in joined.items():
        for target, keys, how in (
            ("qkv", ("to_q", "to_k", "to_v"), order),
            ("encoder_kv", ("add_k_proj", "add_v_proj"), "old"),
        ):
            if keys[0] in parts:
                rows = join([parts[key] for key in keys], how)
                renamed[f"{place}.{target}.{leaf}"] = rows[:, :, None] if leaf == "weight" else rows
    return renamed


def place_of(module: str, down: Levels, up: Levels) -> tuple[str, str]:
    if found := MIDDLE.match(module):
        entry = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"middle_block.{entry}", found[3]
    found = BLOCK.match(module)
    level, index, kind = int(found[2]), int(found[4]), found[3]
    if found[1] == "down":
        entry = 1 + down.before(level, 1) + (down.resnets[level] if kind == "downsamplers" else index)
        return f"input_blocks.{entry}.{int(kind == 'attentions')}", found[5]
    if kind == "upsamplers":
        entry, part = up.resnets[level] - 1, 2 if level in up.attends else 1
    else:
        entry, part = index, int(kind == "attentions")
    return f"output_blocks.{up.before(level, 0) + entry}.{part}", found[5]


def join(parts: list[Tensor], order: str) -> Tensor:
    if order == "new":
        return torch.cat(parts)
    heads = parts[0].shape[0] // HEAD
    return torch.cat([part[h * HEAD : (h + 1) * HEAD] for h in range(heads) for part in parts])


CASES = {
    "deepfloyd": (
        diffusers.UNet2DConditionModel,
        "old",
        {
            "sample_size": 16,
            "in_channels": 3,
            "out_channels": 6,
            "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
            "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
            "block_out_channels": [16, 32],
            "layers_per_block": 2,
            "norm_num_groups": 8,
            "act_fn": "gelu",
            "addition_embed_type": "text",
            "addition_embed_type_num_heads": 2,
            "attention_head_dim": HEAD,
            "cross_attention_dim": 32,
            "cross_attention_norm": "group_norm",
            "encoder_hid_dim": 16,
            "encoder_hid_dim_type": "text_proj",
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
            "resnet_time_scale_shift": "scale_shift",
        },
    ),
    **{
        f"guided_{order}": (
            diffusers.UNet2DModel,
            order,
            {
                "sample_size": 16,
                "in_channels": 3,
                "out_channels": 6,
                "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D"],
                "up_block_types": ["AttnUpBlock2D", "ResnetUpsampleBlock2D"],
                "block_out_channels": [16, 32],
                "layers_per_block": 1,
                "norm_num_groups": 8,
                "attention_head_dim": HEAD,
                "attn_norm_num_groups": 8,
                "downsample_type": "resnet",
                "upsample_type": "resnet",
                "resnet_time_scale_shift": "scale_shift",
                "num_class_embeds": 5,
            },
        )
        for order in ("new", "old")
    },
}


def write_original_names_goldens(versions: dict[str, str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for seed, (name, (model_class, order, config)) in enumerate(CASES.items(), start=81):
        torch.manual_seed(seed)
        weights = {key: value.half() for key, value in model_class(**config).state_dict().items()}
        digests = {
            key: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
            for key, value in weights.items()
        }
        tensors = {
            key: value.contiguous().numpy() for key, value in original_names(weights, order).items()
        }
        metadata = {
            "config": config | {"_class_name": model_class.__name__},
            "diffusers": digests,
            "ebb.golden": {"seed": seed, **versions},
            "head_width": json.dumps(HEAD),
            "order": order,
        }
        write_golden(f"original_names/{name}", tensors, metadata)
