"""Golden files of the MNIST networks, computed by PyTorch on one CPU thread."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from golden_file import write_golden
from baseline_mnist_classifier import CLASSIFIER_LAYERS, ClassifierConfig, MnistClassifier
from baseline_mnist_unet import (
    MnistUNet,
    ModelConfig,
    captured_layers,
    random_inputs,
    tensors_to_save,
)
from torch import Tensor, nn

HIDDEN = 4
BATCH = 4
ADAM_STEPS = 10
LEARNING_RATE, BETAS, EPS = 1e-3, (0.9, 0.999), 1e-8

NETWORKS = {
    "mnist_denoiser": ModelConfig(conditioning="none", hidden=HIDDEN),
    "mnist_time_add": ModelConfig(conditioning="time", time_fusion="add", hidden=HIDDEN),
    "mnist_time_multiply": ModelConfig(conditioning="time", time_fusion="multiply", hidden=HIDDEN),
    "mnist_class": ModelConfig(conditioning="class", hidden=HIDDEN),
    "mnist_judge": ClassifierConfig(hidden=HIDDEN),
}

Named = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Case:
    """A network before training, its one batch and its loss."""

    model: MnistUNet | MnistClassifier
    inputs: Named
    target: Tensor
    loss: Callable[[Tensor, Tensor], Tensor]

    def to(self, dtype: torch.dtype) -> "Case":
        return dataclasses.replace(
            self,
            model=copy.deepcopy(self.model).to(dtype),
            inputs={name: value.to(dtype) for name, value in self.inputs.items()},
            target=self.target.to(dtype),
        )

    def fresh_model(self) -> MnistUNet | MnistClassifier:
        return copy.deepcopy(self.model).train()

    def batch_loss(self, model: nn.Module) -> Tensor:
        return self.loss(model(**self.inputs), self.target)

    def captured_layers(self, model: nn.Module):
        if isinstance(model, MnistClassifier):
            return captured_layers(model, CLASSIFIER_LAYERS, last="classifier")
        return captured_layers(model)


def write_network_goldens(versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    adam = {"lr": LEARNING_RATE, "betas": BETAS, "eps": EPS}
    for seed, (name, config) in enumerate(NETWORKS.items(), start=1):
        torch.manual_seed(seed)
        tensors = network_golden(config)
        metadata = {
            "ebb.golden": {"seed": seed, "adam": adam, **versions},
            "ebb.model": dataclasses.asdict(config),
        }
        write_golden(name, {key: as_f32(value) for key, value in tensors.items()}, metadata)


def network_golden(config: ModelConfig | ClassifierConfig) -> Named:
    """Everything that one file holds; README.md describes the names."""
    case = random_case(config)
    precise = case.to(torch.float64)
    layers, step = training_step(case)
    _, step64 = training_step(precise)
    return (
        prefixed("input.", case.inputs)
        | {"target": case.target}
        | prefixed("param.", tensors_to_save(case.model))
        | prefixed("train.", layers)
        | step
        | {name.replace(".", "64.", 1): value for name, value in step64.items()}
        | inference(case)
        | prefixed("adam.", adam_steps(case))
        | prefixed("adam64.", adam_steps(precise))
    )


def random_case(config: ModelConfig | ClassifierConfig) -> Case:
    judge = isinstance(config, ClassifierConfig)
    model = MnistClassifier(config) if judge else MnistUNet(config)
    randomize_batch_norms(model)
    inputs = inputs_of(config)
    if judge:
        labels = torch.randint(config.classes, (BATCH,))
        return Case(model, inputs, F.one_hot(labels, config.classes).float(), F.cross_entropy)
    return Case(model, inputs, torch.randn_like(inputs["x"]), F.mse_loss)


def inputs_of(config: ModelConfig | ClassifierConfig) -> Named:
    image = ModelConfig(conditioning="none")
    return random_inputs(image if isinstance(config, ClassifierConfig) else config, BATCH)


def randomize_batch_norms(model: nn.Module) -> None:
    """PyTorch's initial scale 1 and shift 0 would hide errors in either."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)


def training_step(case: Case) -> tuple[Named, Named]:
    """Layer outputs of a forward pass in training mode, and its loss and gradients."""
    model = case.fresh_model()
    with case.captured_layers(model) as layers:
        loss = case.batch_loss(model)
    loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    step = {"train.loss": loss.detach().reshape(1)} | prefixed("grad.", gradients)
    return layers | prefixed("stats.", running_statistics(model)), step


def inference(case: Case) -> Named:
    """The forward pass with the running statistics of two batches, so that they matter."""
    model = case.fresh_model()
    with torch.inference_mode():
        for _ in range(2):
            model(**inputs_of(model.config))
        model.eval()
        with case.captured_layers(model) as layers:
            model(**case.inputs)
    return prefixed("eval.", layers) | prefixed("eval.stats.", running_statistics(model))


def adam_steps(case: Case) -> Named:
    """Updates on the same batch: the loss before each and the parameters after all."""
    model = case.fresh_model()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=EPS, foreach=False
    )
    losses = []
    for _ in range(ADAM_STEPS):
        optimizer.zero_grad()
        loss = case.batch_loss(model)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return {"losses": torch.stack(losses)} | prefixed("param.", tensors_to_save(model))


def running_statistics(model: nn.Module) -> Named:
    return {name: value for name, value in tensors_to_save(model).items() if ".bn.running_" in name}


def prefixed(prefix: str, tensors: Named) -> Named:
    return {prefix + name: value for name, value in tensors.items()}


def as_f32(value: Tensor) -> np.ndarray:
    return value.to(torch.float32).numpy()
