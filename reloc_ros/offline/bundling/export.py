"""Turn a trained network into a bundle.                                                                (torch, onnx)"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.offline.bundling.fold import folded

MIN_HALF_ELEMENTS = 256
"""Smaller tensors (biases of few channels, constants of the graph) stay in full precision: they cost nothing."""


def export_onnx(network: LandmarkNetwork, path: Path) -> None:
    """Write the network, decode included, as ONNX: `image` (1, H, W, 3) uint8 BGR -> `keypoints` (1, K, 4) float32.

    Weights are stored in half precision and computed with in single: the file is half as large, and the runtime
    unfolds them once when it loads.
    """
    image = torch.zeros((1, network.shape.height, network.shape.width, 3), dtype=torch.uint8)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            folded(network),
            (image,),
            input_names=["image"],
            output_names=["keypoints"],
            opset_version=18,
            dynamo=True,
            external_data=False,
        )
    model = program.model_proto
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
