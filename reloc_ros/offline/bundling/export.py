"""Turn a trained network into a bundle.                                                                (torch, onnx)"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from reloc_ros.inference.encoders import Encoder, Normalize
from reloc_ros.inference.engines import HEIGHT_AXIS, WIDTH_AXIS
from reloc_ros.inference.network import FeaturePyramid, LandmarkNetwork

_SIDES = tuple(torch.export.Dim(name, min=2, max=256) for name in ("rows", "columns"))
"""Of the picture, in units of 32 pixels."""
FEATURES = ("quarter", "eighth", "sixteenth", "last")
"""What the encoder gives, by its size as a share of the picture's; the last is a thirty-second."""
MIN_HALF_ELEMENTS = 256
"""Smaller tensors (biases of few channels, constants of the graph) stay in full precision: they cost nothing."""
MIN_BYTES_ELEMENTS = 50_000


def export_onnx(network: LandmarkNetwork, path: Path) -> None:
    """Write the network, decode included, as ONNX: `image` (1, H, W, 3) uint8 BGR -> `keypoints` (1, K, 4) float32.

    H and W may be any multiples of 32 from 64 on, though it was trained for one size.

    Weights are stored in half precision and computed with in single: the file is half as large, and the runtime
    unfolds them once when it loads.
    """
    _write(folded(network), {"image": _picture(network)}, {"image": _picture_axes()}, ["keypoints"], path)


def export_encoder(network: LandmarkNetwork, path: Path) -> None:
    """Write what the networks of all places share: `image` as above -> features at strides 4, 8, 16 and 32."""
    encoder = PictureEncoder(copy.deepcopy(network).eval().features.encoder)
    _write(encoder, {"image": _picture(network)}, {"image": _picture_axes()}, list(FEATURES), path)


def export_head(network: LandmarkNetwork, path: Path) -> None:
    """Write the rest of the network of one place: those features -> `keypoints` (1, K, 4) float32.

    A map may have many places, so the largest weights are stored in bytes; they are computed with in single precision.
    """
    whole = folded(network)
    head = PlaceHead(whole)
    with torch.no_grad():
        features = dict(zip(FEATURES, whole.features.encoder(_picture(network)), strict=True))
    axes = {
        name: {2: n * _SIDES[0], 3: n * _SIDES[1]} for name, n in zip(FEATURES, (8, 4, 2, 1), strict=True)
    }
    axes[FEATURES[-1]] = {2: _SIDES[0], 3: _SIDES[1]}
    _write(head, features, axes, ["keypoints"], path, in_bytes=True)


def _picture(network: LandmarkNetwork) -> Tensor:
    return torch.zeros((1, network.shape.height, network.shape.width, 3), dtype=torch.uint8)


def _picture_axes() -> dict[int, Any]:
    return {1: 32 * _SIDES[0], 2: 32 * _SIDES[1]}


def _write(
    module: nn.Module,
    inputs: dict[str, Tensor],
    axes: dict[str, dict[int, Any]],
    outputs: list[str],
    path: Path,
    in_bytes: bool = False,
) -> None:
    """Write a module as ONNX, with inputs that vary in size along some axes; large weights in bytes, or not."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=outputs,
            opset_version=18,
            dynamo=True,
            external_data=False,
            dynamic_shapes=tuple(axes.values()),
        )
    model = program.model_proto
    for axis, name in ((1, HEIGHT_AXIS), (2, WIDTH_AXIS)):
        if "image" in inputs:
            model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]  # in terms of the exporter's own names of the sizes
    if in_bytes:
        store_in_bytes(model)
    halve_weights(model)
    forget_origins(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def halve_weights(model: onnx.ModelProto) -> None:
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < MIN_HALF_ELEMENTS:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float16)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def store_in_bytes(model: onnx.ModelProto) -> None:
    """Keep the largest weights that are still computed with in single precision as bytes, with a scale per row."""
    graph = model.graph
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < MIN_BYTES_ELEMENTS:
            continue
        values = numpy_helper.to_array(tensor)
        name = tensor.name
        largest = np.abs(values).reshape(len(values), -1).max(axis=1)
        scales = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
        rounded = np.rint(values / scales.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(rounded, f"{name}.bytes"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        inputs = [f"{name}.bytes", f"{name}.scale"]
        graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [name], axis=0))


def forget_origins(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes about where in whose files each operation came from."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def folded(network: LandmarkNetwork) -> LandmarkNetwork:
    """A copy of a trained network that returns the same keypoints sooner; it is to be run, not trained.

    Constants go into weights, and what commutes is done where it is small. Nothing is approximated: only the order of
    sums changes, and with it the last bits.
    """
    copied = copy.deepcopy(network).eval()
    with torch.no_grad():
        copied.features = ReducedPyramid(copied.features, copied.head.reduce)
    copied.head.reduce = nn.Identity()
    return copied


class ReducedPyramid(nn.Module):
    """A feature pyramid, its standardization, and the head's first convolution after it, which is 1x1."""

    def __init__(self, pyramid: FeaturePyramid, reduce: nn.Conv2d) -> None:
        super().__init__()
        self.encoder = PictureEncoder(pyramid.encoder)
        self.reduce = ReducedFeatures(pyramid, reduce)

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 BGR -> (B, C, H/8, W/8): what the head's first convolution gives."""
        return self.reduce(*self.encoder(image))


class PictureEncoder(nn.Module):
    """An encoder that takes pictures as they come; the one it is made of is changed."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        with torch.no_grad():
            fold_input(encoder)
        self.encoder = encoder

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, H, W, 3) uint8 BGR -> features at strides 4, 8, 16 and 32."""
        return self.encoder(image.permute(0, 3, 1, 2).float())


class ReducedFeatures(nn.Module):
    """What a head's first convolution makes of the encoder's features.

    A 1x1 convolution of concatenated maps is the sum of one convolution of each, and it commutes with interpolation,
    so the coarse maps are reduced to few channels before they grow. Folding 2x2 cells into channels and then a 1x1
    convolution is a 2x2 convolution of stride 2.
    """

    def __init__(self, pyramid: FeaturePyramid, reduce: nn.Conv2d) -> None:
        super().__init__()
        # reduce((f - mean) / std) = (weight / std) f + bias - (weight / std) mean
        weight = reduce.weight / pyramid.std
        self.bias = nn.Parameter((reduce.bias - (weight * pyramid.mean).sum(dim=(1, 2, 3))).view(1, -1, 1, 1))
        quarter, *others = pyramid.encoder.CHANNELS
        parts = weight.split([4 * quarter, *others], dim=1)
        self.quarter = nn.Parameter(parts[0].reshape(-1, quarter, 2, 2).contiguous())
        self.others = nn.ParameterList(part.contiguous() for part in parts[1:])

    def forward(self, quarter: Tensor, eighth: Tensor, *coarser: Tensor) -> Tensor:
        """Features at strides 4, 8, 16 and 32 -> (B, C, H/8, W/8)."""
        sum_ = functional.conv2d(eighth, self.others[0]) + self.bias
        sum_ = sum_ + functional.conv2d(quarter, self.quarter, stride=2)
        for features, weight in zip(coarser, list(self.others)[1:], strict=True):
            small = functional.conv2d(features, weight)
            sum_ = sum_ + functional.interpolate(
                small, size=sum_.shape[-2:], mode="bilinear", align_corners=False
            )
        return sum_


class PlaceHead(nn.Module):
    """All of a network that comes after its encoder."""

    def __init__(self, folded_network: LandmarkNetwork) -> None:
        super().__init__()
        self.reduce, self.head = folded_network.features.reduce, folded_network.head

    def forward(self, quarter: Tensor, eighth: Tensor, sixteenth: Tensor, last: Tensor) -> Tensor:
        """Features at strides 4, 8, 16 and 32 -> keypoints (B, K, 4)."""
        return self.head.keypoints(self.reduce(quarter, eighth, sixteenth, last))


def fold_input(encoder: Encoder) -> None:
    """Let an encoder take BGR instead of RGB, and divide by the colours' standard deviation in its first weights."""
    first = next(module for module in encoder.modules() if isinstance(module, nn.Conv2d))
    first.weight.copy_((first.weight / encoder.normalize.std).flip(1))
    encoder.normalize = Shift(encoder.normalize)


class Shift(nn.Module):
    """Only the subtraction of `Normalize`, for BGR: it cannot be folded, because the border of zeros comes after it."""

    def __init__(self, normalize: Normalize) -> None:
        super().__init__()
        self.register_buffer("mean", normalize.mean.flip(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x - self.mean
