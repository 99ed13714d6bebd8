"""Golden files of small T5 encoders, computed by transformers in f64."""

import torch
import transformers
from golden_file import write_golden
from network_goldens import Named, as_f32, prefixed
from torch import Tensor, nn

SEED, BATCH = 37, 3
Config = dict[str, object]

CONFIGS: dict[str, tuple[Config, int]] = {
    # The inner width, heads * d_kv, is not d_model.
    "gated": (
        {
            "d_model": 24,
            "d_kv": 8,
            "d_ff": 40,
            "num_layers": 2,
            "num_heads": 4,
            "vocab_size": 60,
            "feed_forward_proj": "gated-gelu",
        },
        77,
    ),
    "relu": (
        {
            "d_model": 20,
            "d_kv": 5,
            "d_ff": 33,
            "num_layers": 3,
            "num_heads": 3,
            "vocab_size": 41,
            "relative_attention_num_buckets": 11,
            "relative_attention_max_distance": 19,
            "layer_norm_epsilon": 1e-4,
            "feed_forward_proj": "relu",
        },
        31,
    ),
}


def write_t5_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    for name, (config, tokens) in CONFIGS.items():
        write_model(name, config, tokens, versions | {"transformers": transformers.__version__})


def write_model(name: str, config: Config, tokens: int, versions: dict[str, str]) -> None:
    torch.manual_seed(SEED)
    model = transformers.T5EncoderModel(transformers.T5Config(**config)).eval()
    randomize(model)
    parameters = {k: v.clone() for k, v in model.state_dict().items() if "embed_tokens" not in k}
    lengths = torch.tensor([tokens, 1, tokens // 2])
    mask = (torch.arange(tokens)[None] < lengths[:, None]).int()
    ids = torch.randint(2, model.config.vocab_size, (BATCH, tokens)).int() * mask
    inputs = {"input_ids": ids, "attention_mask": mask}
    tensors = (
        prefixed("input.", inputs) | module_outputs(model.double(), inputs) | prefixed("param.", parameters)
    )
    arrays = {
        k: v.numpy() if v.dtype == torch.int32 else as_f32(v.contiguous())
        for k, v in tensors.items()
    }
    write_golden(f"t5_{name}", arrays, {"ebb.golden": {"seed": SEED, **versions}, "ebb.model": config})


@torch.no_grad()
def randomize(model: nn.Module) -> None:
    """transformers' own initial values leave attention almost even and norms without effect."""
    for name, value in model.named_parameters():
        if value.dim() == 1:
            value.uniform_(0.5, 1.5)
        elif "relative_attention_bias" in name or "shared" in name:
            value.normal_()
        else:
            value.normal_(std=value.shape[1] ** -0.5)


def module_outputs(model: nn.Module, inputs: Named) -> Named:
    """What every block, layer, attention, feed-forward and norm returns."""
    outputs: Named = {}

    def keep(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            outputs[name] = (output[0] if isinstance(output, tuple) else output).detach().clone()

        return hook

    endings = ("SelfAttention", "DenseReluDense", "layer_norm")
    for name, module in model.named_modules():
        parts = name.split(".")
        if name.startswith("encoder.") and (parts[-1].isdigit() or name.endswith(endings)):
            module.register_forward_hook(keep(name))
    with torch.no_grad():
        outputs["output"] = model(**inputs).last_hidden_state
    return outputs
