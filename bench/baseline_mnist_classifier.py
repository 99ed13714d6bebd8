"""The counterpart of nn/classifier_mnist in PyTorch. Attribute names are the parameter names of the files."""

import dataclasses

from baseline_mnist_unet import IMAGE_SHAPE, Conv, DownConv
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True)
class ClassifierConfig:
    """The value of "ebb.model" in a classifier's metadata."""

    name: str = "mnist_judge"
    hidden: int = 16
    classes: int = 10

    def __post_init__(self) -> None:
        if self.name not in ("mnist_judge", "mnist_classifier"):
            raise ValueError(f"name is {self.name!r}, expected 'mnist_classifier'")


class GlobalAvgPool(nn.Module):
    """[N, C, H, W] -> [N, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class MnistClassifier(nn.Module):
    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        d = config.hidden
        self.config = config
        self.down1 = DownConv(1, d)
        self.conv1 = Conv(d, 2 * d)
        self.down2 = DownConv(2 * d, 4 * d)
        self.conv2 = Conv(4 * d, 4 * d)
        self.down3 = DownConv(4 * d, 4 * d)
        self.features = GlobalAvgPool()
        self.classifier = nn.Linear(4 * d, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, 1, 28, 28] -> logits [N, classes]."""
        assert x.shape[1:] == IMAGE_SHAPE, f"x is {tuple(x.shape)}, not [N, 1, 28, 28]"
        h = self.conv1(self.down1(x))  # [N, 2D, 14, 14]
        h = self.conv2(self.down2(h))  # [N, 4D, 7, 7]
        return self.classifier(self.features(self.down3(h)))


CLASSIFIER_LAYERS = ("down1", "conv1", "down2", "conv2", "down3", "features", "classifier")
