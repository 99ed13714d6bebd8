"""Small pipelines as diffusers saves them (pipelines/) and whole runs of diffusers on them (pipelines.safetensors).

Networks run in f64, schedulers on their own f32 tables; the noise is ebb's own (ebb_noise.py, seeds 1 and 2). Each run is the library's pipeline,
but for the assignment's loop, which is written out here.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from diffusers import (
    CMStochasticIterativeScheduler,
    ConsistencyModelPipeline,
    DDPMPipeline,
    DDPMScheduler,
    IFImg2ImgPipeline,
    IFInpaintingPipeline,
    IFPipeline,
    IFSuperResolutionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
    UnCLIPScheduler,
)
from diffusers.pipelines import deepfloyd_if
from diffusers.pipelines.deepfloyd_if import timesteps as timestep_lists
from diffusers.schedulers import scheduling_consistency_models, scheduling_ddpm, scheduling_unclip
from diffusers_goldens import CROSS_DOWN, CROSS_UP, DEEPFLOYD, RES_DOWN, RES_UP, UNCONDITIONAL, levels
from ebb_noise import REFERENCE, SAMPLER, START, image_noise
from golden_file import FOLDER, MAX_BYTES, write_golden
from safetensors.torch import save_file
from torch import Tensor, nn
from unet_goldens import randomize_norms

ROOT = FOLDER / "pipelines"
SEED, IMAGE_SEED, IMAGES = 41, 1, 2
TOKENS, WIDTH = 5, 24
PROMPTS = ("", "a man wearing a hat", "a photo of the amalfi cost", "A rocket ship")
IF_SCHEDULER = {
    "beta_schedule": "squaredcos_cap_v2",
    "variance_type": "learned_range",
    "thresholding": True,
    "dynamic_thresholding_ratio": 0.95,
    "sample_max_value": 1.5,
}
STAGE_1 = (
    levels(8, 16, down=(RES_DOWN, CROSS_DOWN), up=(CROSS_UP, RES_UP))
    | DEEPFLOYD
    | {"in_channels": 3, "layers_per_block": 1, "sample_size": 16}
)
STAGE_2 = (
    levels(8, 16, down=(RES_DOWN, CROSS_DOWN), up=(CROSS_UP, RES_UP))
    | DEEPFLOYD
    | {
        "class_embed_type": "timestep",
        "in_channels": 6,
        "layers_per_block": 1,
        "mid_block_scale_factor": 1.4142271248762552,
        "resnet_out_scale_factor": 1.4142271248762552,
        "resnet_skip_time_act": True,
        "sample_size": 32,
        "time_embedding_act_fn": "gelu",
        "time_embedding_dim": 16,
    }
)
CLASSES = UNCONDITIONAL["example"] | {"num_class_embeds": 12}
CONSISTENCY = UNCONDITIONAL["consistency"] | {"num_class_embeds": 12}
# Its networks that enlarge: nothing says how noisy the smaller image is, and it is not noisy.
KARLO = levels(8, 16, down=(RES_DOWN, RES_DOWN), up=(RES_UP, RES_UP)) | {
    "add_attention": False,
    "in_channels": 6,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "out_channels": 3,
    "resnet_time_scale_shift": "scale_shift",
    "sample_size": 32,
}
GUIDANCE = 7.0


def write_pipeline_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    embeddings = write_embeddings()
    image = torch.rand(1, 3, 16, 16, dtype=torch.float64) * 2 - 1
    image = ((image / 2 + 0.5) * 255).round() / 255 * 2 - 1  # what a file can hold
    runs = (
        {"image": image.float()}
        | if_runs(embeddings, image)
        | upscaling_run(embeddings, image)
        | {"classes": classes_run()}
        | consistency_runs()
        | {"learned": learned_run(), "karlo.upscaled": karlo_run(image)}
    )
    for path in ROOT.rglob("*"):
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
    arrays = {name: value.detach().float().contiguous().numpy() for name, value in runs.items()}
    write_golden("pipelines", arrays, {"ebb.golden": {"seed": SEED, **versions}})


def write_embeddings() -> dict[str, Tensor]:
    """In the course's form and as safetensors; half precision."""
    embeddings = {prompt: torch.randn(1, TOKENS, WIDTH).half() for prompt in PROMPTS}
    torch.save(embeddings, ROOT / "prompt_embeds_dict.pth")
    save_file(embeddings, ROOT / "embeddings.safetensors")
    return {prompt: value.double() for prompt, value in embeddings.items()}


def network(kind: type[nn.Module], config: dict) -> nn.Module:
    torch.manual_seed(SEED)
    model = kind(**{key: value for key, value in config.items() if key != "text_tokens"})
    randomize_norms(model)
    return model


def in_f64(model: nn.Module) -> nn.Module:
    double = model.double()
    double.time_proj.register_forward_hook(lambda _module, _inputs, output: output.double())
    return double


@contextmanager
def noise(*first: int) -> Iterator[None]:
    """ebb's noise: `first` streams once each, then that of step 0, 1, ..., a step at a time."""
    drawn = 0

    def draw(shape: tuple[int, ...], **_: object) -> Tensor:
        nonlocal drawn
        index, drawn = drawn, drawn + 1
        stream, step = (first[index], 0) if index < len(first) else (SAMPLER, index - len(first))
        return torch.from_numpy(image_noise(stream, IMAGE_SEED, step, tuple(shape))).double()

    modules = [scheduling_ddpm, scheduling_consistency_models] + [
        getattr(deepfloyd_if, f"pipeline_if{name}")
        for name in ("", "_img2img", "_inpainting", "_superresolution")
    ]
    with ExitStack() as patches, torch.no_grad():
        for module in modules:
            patches.enter_context(mock.patch.object(module, "randn_tensor", draw))
        yield


def if_runs(embeddings: dict[str, Tensor], image: Tensor) -> dict[str, Tensor]:
    unet = network(UNet2DConditionModel, STAGE_1).half()
    parts = {
        "tokenizer": None,
        "text_encoder": None,
        "scheduler": DDPMScheduler(**IF_SCHEDULER),
        "safety_checker": None,
        "feature_extractor": None,
        "watermarker": None,
    }
    pipeline = IFPipeline(unet=unet, **parts, requires_safety_checker=False)
    pipeline.save_pretrained(ROOT / "if_1", variant="fp16")
    parts |= {"unet": in_f64(unet), "scheduler": DDPMScheduler(**IF_SCHEDULER)}

    def run(kind: type, negative: str = "", streams: tuple[int, ...] = (START,), **options: object) -> Tensor:
        pipeline = kind(**parts, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        with noise(*streams):
            return pipeline(
                prompt_embeds=embeddings["a man wearing a hat"],
                negative_prompt_embeds=embeddings[negative],
                num_images_per_prompt=IMAGES,
                guidance_scale=GUIDANCE,
                output_type="pt",
                **options,
            ).images

    mask = torch.zeros(1, 1, 16, 16)
    mask[:, :, :, 8:] = 1
    return {
        "if_1.course": course_run(parts["unet"], parts["scheduler"], embeddings),
        "if_1.pipeline": run(IFPipeline, negative="A rocket ship", num_inference_steps=10),
        "if_1.fast27": run(IFPipeline, timesteps=timestep_lists.fast27_timesteps),
        "if_1.image": run(IFImg2ImgPipeline, image=image, strength=0.7, num_inference_steps=10),
        "if_1.inpaint": run(
            IFInpaintingPipeline, image=image, mask_image=mask, strength=1.0, num_inference_steps=10
        ),
    }


def course_run(unet: nn.Module, scheduler: DDPMScheduler, embeddings: dict[str, Tensor]) -> Tensor:
    """The assignment's loop, with guidance: 990, 960, ..., 30, 0."""
    timesteps = list(range(990, -1, -30))
    scheduler.set_timesteps(timesteps=timesteps)
    alpha_bar = scheduler.alphas_cumprod
    text = torch.cat([embeddings[""], embeddings["a man wearing a hat"]]).repeat_interleave(IMAGES, 0)
    shape = (IMAGES, 3, 16, 16)
    x = torch.from_numpy(image_noise(START, IMAGE_SEED, 0, shape)).double()
    for i, (t, following) in enumerate(zip(timesteps, timesteps[1:])):
        with torch.no_grad():
            output = unet(torch.cat([x, x]), t, encoder_hidden_states=text).sample
        without, with_text = output.chunk(2)
        eps = without[:, :3] + GUIDANCE * (with_text[:, :3] - without[:, :3])
        now, then = alpha_bar[t], alpha_bar[following]
        alpha = now / then
        beta = 1 - alpha
        clean = (x - (1 - now).sqrt() * eps) / now.sqrt()
        small = (1 - then) / (1 - now) * beta
        fraction = (with_text[:, 3:] + 1) / 2
        deviation = (0.5 * (fraction * beta.log() + (1 - fraction) * small.log())).exp()
        z = torch.from_numpy(image_noise(SAMPLER, IMAGE_SEED, i, shape)).double()
        x = (
            then.sqrt() * beta / (1 - now) * clean
            + alpha.sqrt() * (1 - then) / (1 - now) * x
            + deviation * z
        )
    return x


def upscaling_run(embeddings: dict[str, Tensor], image: Tensor) -> dict[str, Tensor]:
    unet = network(UNet2DConditionModel, STAGE_2).half()
    noising = {"beta_schedule": "squaredcos_cap_v2"}
    scheduler = IF_SCHEDULER | {"sample_max_value": 1.0}
    parts = {
        "tokenizer": None,
        "text_encoder": None,
        "safety_checker": None,
        "feature_extractor": None,
        "watermarker": None,
    }
    IFSuperResolutionPipeline(
        unet=unet,
        scheduler=DDPMScheduler(**scheduler),
        image_noising_scheduler=DDPMScheduler(**noising),
        **parts,
        requires_safety_checker=False,
    ).save_pretrained(ROOT / "if_2", variant="fp16")
    pipeline = IFSuperResolutionPipeline(
        unet=in_f64(unet),
        scheduler=DDPMScheduler(**scheduler),
        image_noising_scheduler=DDPMScheduler(**noising),
        **parts,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    with noise(START, REFERENCE):
        upscaled = pipeline(
            image=image,
            prompt_embeds=embeddings["a man wearing a hat"],
            negative_prompt_embeds=embeddings[""],
            num_images_per_prompt=IMAGES,
            num_inference_steps=6,
            noise_level=100,
            guidance_scale=4.0,
            output_type="pt",
        ).images
    return {"if_2.upscaled": upscaled}


def classes_run() -> Tensor:
    """Images of classes 3 and 11; DDPMPipeline knows no classes."""
    unet = network(UNet2DModel, CLASSES)
    DDPMPipeline(unet=unet, scheduler=DDPMScheduler()).save_pretrained(ROOT / "classes")
    unet, scheduler = in_f64(unet), DDPMScheduler()
    scheduler.set_timesteps(10)
    with noise(START):
        x = scheduling_ddpm.randn_tensor((IMAGES, 3, 8, 8))
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t, class_labels=torch.tensor([3, 11])).sample, t, x).prev_sample
    return x


def consistency_runs() -> dict[str, Tensor]:
    unet = network(UNet2DModel, CONSISTENCY)
    ConsistencyModelPipeline(unet, CMStochasticIterativeScheduler()).save_pretrained(
        ROOT / "consistency"
    )
    unet = in_f64(unet)
    return {
        "consistency.one": consistency_run(unet, lambda s: s.set_timesteps(1)),
        "consistency.list": consistency_run(unet, lambda s: s.set_timesteps(timesteps=[22, 0])),
        "consistency.five": consistency_run(unet, lambda s: s.set_timesteps(5)),
    }


def consistency_run(unet: nn.Module, set_timesteps: Callable) -> Tensor:
    """ConsistencyModelPipeline's loop on images of class 7."""
    scheduler = CMStochasticIterativeScheduler()
    set_timesteps(scheduler)
    labels = torch.tensor([7, 7])
    with noise(START):
        x = scheduling_consistency_models.randn_tensor((IMAGES, 3, 8, 8)) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(x, t)
            x = scheduler.step(unet(scaled, t, class_labels=labels).sample, t, x).prev_sample
    return x


def learned_run() -> Tensor:
    """A network whose times are rows of a table."""
    unet = network(UNet2DModel, UNCONDITIONAL["learned"])
    DDPMPipeline(unet=unet, scheduler=DDPMScheduler()).save_pretrained(ROOT / "learned")
    unet, scheduler = unet.double(), DDPMScheduler()
    scheduler.set_timesteps(10)
    with noise(START):
        x = scheduling_ddpm.randn_tensor((IMAGES, 3, 8, 8))
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t).sample, t, x).prev_sample
    return x


def karlo_run(image: Tensor) -> Tensor:
    """The second half of UnCLIPPipeline, with one network for all steps."""
    unet = network(UNet2DModel, KARLO)
    scheduler = UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon", num_train_timesteps=1000)
    DDPMPipeline(unet=unet, scheduler=scheduler).save_pretrained(ROOT / "karlo")
    unet = in_f64(unet)
    # UnCLIPScheduler takes the last step's 1 - alpha_bar once from betas and once from alphas_cumprod, which in f32 are 7e-4
    # apart: betas that agree with the other table.
    alpha_bar = scheduler.alphas_cumprod.double()
    scheduler.betas = 1 - alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]])
    large = nn.functional.interpolate(image, size=(32, 32), mode="bicubic", align_corners=False, antialias=True)
    large = large.repeat(IMAGES, 1, 1, 1)
    scheduler.set_timesteps(7)
    with noise(START), mock.patch.object(scheduling_unclip, "randn_tensor", scheduling_ddpm.randn_tensor):
        x = scheduling_ddpm.randn_tensor((IMAGES, 3, 32, 32))
        for t, following in zip(scheduler.timesteps, [*scheduler.timesteps[1:], None]):
            output = unet(torch.cat([x, large], 1), t).sample
            x = scheduler.step(output, t, x, prev_timestep=following).prev_sample
    return x


if __name__ == "__main__":
    import diffusers

    write_pipeline_goldens({"torch": torch.__version__, "diffusers": diffusers.__version__})
