"""The configurations of make_tiny_if: DeepFloyd IF's with small widths, and two of UNet2DModel."""

Config = dict[str, object]

WIDTH = 48  # of the text encoder

RES_DOWN, CROSS_DOWN = "ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"
RES_UP, CROSS_UP = "ResnetUpsampleBlock2D", "SimpleCrossAttnUpBlock2D"
IF: Config = {
    "act_fn": "gelu",
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 4,
    "attention_head_dim": 8,
    "block_out_channels": [16, 32, 32],
    "cross_attention_dim": 32,
    "cross_attention_norm": "group_norm",
    "encoder_hid_dim": WIDTH,
    "encoder_hid_dim_type": "text_proj",
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "norm_num_groups": 8,
    "out_channels": 6,
    "resnet_time_scale_shift": "scale_shift",
}
STAGE_1 = IF | {
    "down_block_types": [RES_DOWN, CROSS_DOWN, CROSS_DOWN],
    "in_channels": 3,
    "layers_per_block": 1,
    "sample_size": 32,
    "up_block_types": [CROSS_UP, CROSS_UP, RES_UP],
}
STAGE_2 = IF | {
    "class_embed_type": "timestep",
    "down_block_types": [RES_DOWN, RES_DOWN, CROSS_DOWN],
    "in_channels": 6,
    "layers_per_block": [1, 1, 2],
    "mid_block_scale_factor": 1.4142271248762552,
    "resnet_out_scale_factor": 1.4142271248762552,
    "resnet_skip_time_act": True,
    "sample_size": 64,
    "time_embedding_act_fn": "gelu",
    "time_embedding_dim": 32,
    "up_block_types": [CROSS_UP, RES_UP, RES_UP],
}
UNCONDITIONAL: Config = {
    "attention_head_dim": None,
    "block_out_channels": [16, 32],
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
    "norm_num_groups": 8,
    "sample_size": 16,
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}
CONSISTENCY: Config = {
    "attention_head_dim": 8,
    "attn_norm_num_groups": 8,
    "block_out_channels": [16, 32],
    "down_block_types": [RES_DOWN, "AttnDownBlock2D"],
    "downsample_type": "resnet",
    "norm_num_groups": 8,
    "num_class_embeds": 10,
    "resnet_time_scale_shift": "scale_shift",
    "sample_size": 16,
    "up_block_types": ["AttnUpBlock2D", RES_UP],
    "upsample_type": "resnet",
}
SCHEDULER: Config = {
    "beta_schedule": "squaredcos_cap_v2",
    "dynamic_thresholding_ratio": 0.95,
    "sample_max_value": 1.5,
    "thresholding": True,
    "variance_type": "learned_range",
}
NOISING: Config = {"beta_schedule": "squaredcos_cap_v2"}
