"""Golden files of small UNets of every kind that ebb takes from diffusers, computed by diffusers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel, UNet2DModel
from golden_file import write_golden
from network_goldens import BETAS, EPS, LEARNING_RATE, Named, as_f32, prefixed
from torch import Tensor, nn
from unet_goldens import randomize_norms, state_of

SEED, BATCH, SIDE, TRAINING_STEPS = 31, 2, 8, 3
TOKENS = 5  # fewer than 77: any number will do
Config = dict[str, object]

DOWN, UP = "DownBlock2D", "UpBlock2D"
ATTN_DOWN, ATTN_UP = "AttnDownBlock2D", "AttnUpBlock2D"
RES_DOWN, RES_UP = "ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"
CROSS_DOWN, CROSS_UP = "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D"


def levels(*channels: int, down: tuple[str, ...], up: tuple[str, ...]) -> Config:
    return {
        "block_out_channels": list(channels),
        "down_block_types": list(down),
        "up_block_types": list(up),
        "sample_size": SIDE,
    }


# What all configurations of DeepFloyd IF have in common, with small widths.
DEEPFLOYD: Config = {
    "out_channels": 6,
    "act_fn": "gelu",
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 4,
    "attention_head_dim": 8,
    "cross_attention_dim": 32,
    "cross_attention_norm": "group_norm",
    "encoder_hid_dim": 24,
    "encoder_hid_dim_type": "text_proj",
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "norm_num_groups": 4,
    "resnet_time_scale_shift": "scale_shift",
    "text_tokens": TOKENS,
}

UNCONDITIONAL: dict[str, Config] = {
    "ddpm": levels(8, 16, down=(DOWN, ATTN_DOWN), up=(ATTN_UP, UP))
    | {
        "attention_head_dim": None,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "norm_eps": 1e-6,
        "norm_num_groups": 4,
    },
    # AttnDown first, so that a convolution makes it smaller.
    "example": levels(8, 16, down=(ATTN_DOWN, DOWN), up=(UP, ATTN_UP))
    | {
        "norm_num_groups": 4,
        "layers_per_block": 1,
        "center_input_sample": True,
        "num_class_embeds": 10,
    },
    "consistency": levels(8, 16, down=(RES_DOWN, ATTN_DOWN), up=(ATTN_UP, RES_UP))
    | {
        "attention_head_dim": 8,
        "attn_norm_num_groups": 2,
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "num_class_embeds": 10,
        "resnet_time_scale_shift": "scale_shift",
    },
    # The mid block's attention has no norm; AttnDown and AttnUp resample by a resnet.
    "consistency_vector": levels(8, 8, 16, down=(RES_DOWN, ATTN_DOWN, DOWN), up=(UP, ATTN_UP, RES_UP))
    | {
        "attention_head_dim": 8,
        "class_embed_type": "identity",
        "downsample_type": "resnet",
        "layers_per_block": 1,
        "mid_block_scale_factor": 2.5,
        "norm_num_groups": 4,
        "resnet_time_scale_shift": "scale_shift",
        "upsample_type": "resnet",
    },
    "karlo": levels(8, 16, down=(RES_DOWN, RES_DOWN), up=(RES_UP, RES_UP))
    | {
        "act_fn": "gelu",
        "add_attention": False,
        "class_embed_type": "timestep",
        "in_channels": 6,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "time_embedding_dim": 20,
    },
    # 9 channels of sines and cosines, and heads of 5 numbers.
    "odd": levels(9, 15, down=(DOWN, ATTN_DOWN), up=(ATTN_UP, UP))
    | {
        "act_fn": "mish",
        "attention_head_dim": 5,
        "in_channels": 1,
        "layers_per_block": 1,
        "norm_num_groups": 3,
        "out_channels": 2,
    },
    # The times are rows of a table.
    "learned": levels(8, 16, down=("UNetResDownBlock2D", ATTN_DOWN), up=(ATTN_UP, UP))
    | {
        "act_fn": "relu",
        "attention_head_dim": 16,
        "layers_per_block": 1,
        "mid_block_type": None,
        "norm_num_groups": 4,
        "num_train_timesteps": 1000,
        "time_embedding_type": "learned",
    },
}

CONDITIONAL: dict[str, Config] = {
    "if_stage_1": levels(8, 16, down=(RES_DOWN, CROSS_DOWN), up=(CROSS_UP, RES_UP))
    | DEEPFLOYD
    | {"in_channels": 3, "layers_per_block": 1},
    "if_stage_2": levels(8, 8, 16, down=(RES_DOWN, RES_DOWN, CROSS_DOWN), up=(CROSS_UP, RES_UP, RES_UP))
    | DEEPFLOYD
    | {
        "class_embed_type": "timestep",
        "encoder_hid_dim_type": None,
        "in_channels": 6,
        "layers_per_block": [1, 1, 2],
        "mid_block_scale_factor": 1.4142271248762552,
        "resnet_out_scale_factor": 1.4142271248762552,
        "resnet_skip_time_act": True,
        "time_embedding_act_fn": "gelu",
        "time_embedding_dim": 16,
    },
    # Lists, of which the way up reads some from the end.
    "lists": levels(8, 16, down=(CROSS_DOWN, CROSS_DOWN), up=(CROSS_UP, CROSS_UP))
    | {
        "act_fn": "relu",
        "addition_embed_type": None,
        "attention_head_dim": [4, 8],
        "class_embed_type": "projection",
        "cross_attention_dim": [12, 12],
        "in_channels": 3,
        "layers_per_block": [2, 1],
        "mid_block_only_cross_attention": True,
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "norm_num_groups": 4,
        "only_cross_attention": [False, True],
        "out_channels": 3,
        "projection_class_embeddings_input_dim": 6,
        "text_tokens": TOKENS,
        "time_cond_proj_dim": 3,
    },
    # Plain and attention blocks in this class ignore what the others heed; text is pooled alone.
    "concatenated": levels(8, 16, down=(DOWN, ATTN_DOWN), up=(ATTN_UP, UP))
    | {
        "attention_head_dim": 8,
        "class_embed_type": "simple_projection",
        "class_embeddings_concat": True,
        "in_channels": 3,
        "layers_per_block": 1,
        "mid_block_type": "UNetMidBlock2D",
        "norm_num_groups": 4,
        "out_channels": 3,
        "projection_class_embeddings_input_dim": 6,
        "resnet_out_scale_factor": 2.0,
        "resnet_skip_time_act": True,
    },
    # One switch for all blocks and the mid block; text of the attentions' own width, and pooled.
    "only_text": levels(8, 16, down=(RES_DOWN, CROSS_DOWN), up=(CROSS_UP, RES_UP))
    | {
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 3,
        "cross_attention_dim": 12,
        "in_channels": 3,
        "layers_per_block": 1,
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "norm_num_groups": 4,
        "num_class_embeds": 7,
        "only_cross_attention": True,
        "out_channels": 3,
        "text_tokens": TOKENS,
    },
}

OWN_KEYS = {"text_tokens"}  # of ebb's, which diffusers does not know
MODULES = re.compile(
    r"time_embedding|class_embedding|add_embedding|add_embedding\.pool|encoder_hid_proj|conv_in"
    r"|conv_norm_out|conv_out|mid_block|(down|up)_blocks\.\d+"
    r"|.*\.(resnets|attentions|downsamplers|upsamplers)\.\d+"
)


def write_diffusers_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, config in UNCONDITIONAL.items():
        write_model(name, UNet2DModel, config, versions)
    for name, config in CONDITIONAL.items():
        write_model(name, UNet2DConditionModel, config, versions)


def write_model(name: str, kind: type[nn.Module], config: Config, versions: dict[str, str]) -> None:
    torch.manual_seed(SEED)
    model = kind(**{key: value for key, value in config.items() if key not in OWN_KEYS})
    randomize_norms(model)
    inputs = random_inputs(model, config)
    target = torch.randn(BATCH, model.config.out_channels, SIDE, SIDE)
    parameters = prefixed("param.", state_of(model))
    double = model.double()
    double.time_proj.register_forward_hook(lambda _module, _inputs, output: output.double())
    outputs = module_outputs(double, inputs)
    losses = training_losses(double, inputs, target)
    tensors = (
        prefixed("input.", inputs)
        | outputs
        | parameters
        | {"target": target, "adam64.losses": losses}
    )
    adam = {"lr": LEARNING_RATE, "betas": BETAS, "eps": EPS}
    metadata = {
        "ebb.golden": {"seed": SEED, "adam": adam, **versions},
        "ebb.model": {"_class_name": kind.__name__} | config,
    }
    # Attentions give their channels innermost; a file has no strides.
    rows = {name: value.contiguous() for name, value in tensors.items()}
    arrays = {k: v.numpy() if v.dtype == torch.int32 else as_f32(v) for k, v in rows.items()}
    write_golden(f"diffusers_{name}", arrays, metadata)


def random_inputs(model: nn.Module, config: Config) -> Named:
    sample = torch.randn(BATCH, model.config.in_channels, SIDE, SIDE)
    inputs = {"sample": sample, "timestep": torch.tensor([17.0, 703.25])}
    if model.config.time_embedding_type == "learned":
        inputs["timestep"] = torch.tensor([17, 703], dtype=torch.int32)
    if model.class_embedding is not None:
        inputs["class_labels"] = class_labels(model)
    if "text_tokens" in config:
        width = model.config.encoder_hid_dim or dims_of(model.config.cross_attention_dim)
        inputs["encoder_hidden_states"] = torch.randn(BATCH, TOKENS, width)
    return inputs


def dims_of(value: int | list[int]) -> int:
    return value if isinstance(value, int) else value[0]


def class_labels(model: nn.Module) -> Tensor:
    kind = model.config.class_embed_type
    if kind is None:
        return torch.tensor([3, 6], dtype=torch.int32)
    if kind == "timestep":
        return torch.tensor([250.0, 0.5])
    if kind == "identity":
        return torch.randn(BATCH, model.time_embedding.linear_2.out_features)
    return torch.randn(BATCH, model.config.projection_class_embeddings_input_dim)


def output_of(model: nn.Module, inputs: Named) -> Tensor:
    """In f64, except for the sines and cosines of the time, which diffusers computes in f32."""
    arguments = {
        name: value.double() if name in ("sample", "encoder_hidden_states") else value
        for name, value in inputs.items()
    }
    labels = arguments.get("class_labels")
    if labels is not None and labels.dim() == 2:
        arguments["class_labels"] = labels.double()
    if isinstance(model, UNet2DConditionModel):
        arguments.setdefault("encoder_hidden_states", None)
    return model(**arguments).sample


@contextmanager
def captured(model: nn.Module, outputs: Named) -> Iterator[None]:
    def keep(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            outputs[name] = (output[0] if isinstance(output, tuple) else output).detach().clone()

        return hook

    handles = [
        module.register_forward_hook(keep(name))
        for name, module in model.named_modules()
        if MODULES.fullmatch(name)
    ]
    yield
    for handle in handles:
        handle.remove()


def module_outputs(model: nn.Module, inputs: Named) -> Named:
    outputs: Named = {}
    with torch.no_grad(), captured(model, outputs):
        output = output_of(model, inputs)
    return outputs | {"output": output}


def training_losses(model: nn.Module, inputs: Named, target: Tensor) -> Tensor:
    """The loss before each of some Adam steps on one batch."""
    optimizer = torch.optim.Adam(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=EPS, foreach=False
    )
    losses = []
    for _ in range(TRAINING_STEPS):
        optimizer.zero_grad()
        loss = F.mse_loss(output_of(model, inputs), target.double())
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)
