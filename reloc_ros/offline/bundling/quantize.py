"""The exported network with bytes for numbers, calibrated on pictures of the map.                (onnx, onnxruntime)"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from reloc_ros.bundle import INT8_ONNX, NetworkShape
from reloc_ros.inference.engines import import_onnxruntime
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.io.atomic import scratch_folder
from reloc_ros.offline.bundling.export import forget_origins, halve_weights, store_in_bytes
from reloc_ros.offline.measuring.conditions import CONDITIONS
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import read_map_photo

logger = logging.getLogger(__name__)

QUANTIZED = ("Conv", "Clip", "Relu", "Add")
"""Kinds of operations that are done in bytes, up to the last convolution."""
FIRST_IN_FLOAT = 3
"""Convolutions at the start that stay as they are: their few channels differ so much in size that bytes blur them."""
CALIBRATION_PICTURES = 40
"""So many map images set the ranges of the network in bytes, all where there are fewer; half as many test it."""
MIN_SCORE = 0.3
MAX_MEDIAN_PX = 1.0
MAX_MISSING = 0.1
"""What is farther from the original than these is not worth its speed."""


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """How far the keypoints of the network in bytes are from the original's."""

    median_px: float
    """Network pixels, over the keypoints that both find."""
    missing: float
    """Share of the original's keypoints that are no longer found, or 8 network pixels or more away."""

    @property
    def good(self) -> bool:
        return self.median_px <= MAX_MEDIAN_PX and self.missing <= MAX_MISSING


Find = Callable[[Path, Sequence[NDArray[np.uint8]]], NDArray[np.float32]]
"""The keypoints (N, K, 4) that the model of a file gives in pictures, by itself or with others."""


def add_int8(
    source: Path, images_dir: Path, model: SfmModel, shape: NetworkShape, find: Find | None = None
) -> dict[str, Any] | None:
    """Put the model in bytes beside that of a file, unless it is too far from the original; tells how far it is."""
    target = source.with_suffix(INT8_ONNX)

    def pictures(chosen: Sequence[int], conditions: Sequence[str]) -> list[NDArray[np.uint8]]:
        made = []
        for row, condition in zip(chosen, itertools.cycle(conditions), strict=False):
            image, camera = read_map_photo(images_dir, model, row), model.camera(row)
            degraded, camera = CONDITIONS[condition](image, camera)
            made.append(Letterbox(camera.width, camera.height, shape.width, shape.height).apply(degraded))
        return made

    def spread(count: int) -> list[int]:
        return np.unique(np.linspace(0, len(model.names) - 1, count).round().astype(int)).tolist()

    fidelity = quantize(
        source,
        target,
        pictures(spread(CALIBRATION_PICTURES), ("clean", "dark", "noise")),
        pictures(spread(CALIBRATION_PICTURES // 2), ("clean",)),
        find,
    )
    if not fidelity.good:
        logger.warning(
            "no int8 network in the bundle: its keypoints are %.2f px from the original's, and %.0f %% are missing",
            fidelity.median_px,
            100 * fidelity.missing,
        )
        target.unlink()
        return None
    return {"median_px": round(fidelity.median_px, 3), "missing": round(fidelity.missing, 4)}


def quantize(
    source: Path,
    target: Path,
    pictures: Sequence[NDArray[np.uint8]],
    tests: Sequence[NDArray[np.uint8]],
    find: Find | None = None,
) -> Fidelity:
    """Write to `target` the model `source` that `export_onnx` wrote, its convolutions in bytes.

    Args:
        pictures: (H, W, 3) of the network's size, as it will meet them: they set the ranges of the activations.
        tests: others, on which the result is compared with the original.
        find: what gives keypoints by either model; itself, when not given.
    """
    import_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().addFilter(_is_no_advice)
    try:
        with _temporaries_beside(target) as folder:
            prepared = folder / "prepared.onnx"
            # The weights become single precision, too.
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                target,
                _Reader(pictures),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                nodes_to_quantize=_in_bytes(onnx.load(prepared)),
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
    finally:
        logging.getLogger().removeFilter(_is_no_advice)
    model = onnx.load(target)
    store_in_bytes(model)
    halve_weights(model)
    forget_origins(model)
    onnx.save(model, target)
    return compare(source, target, tests, find)


@contextlib.contextmanager
def _temporaries_beside(target: Path) -> Iterator[Path]:
    """ONNX Runtime's own ones, too: of a killed run, they are cleared away with the rest of its bundle."""
    usual = tempfile.tempdir
    with scratch_folder(target) as folder:
        tempfile.tempdir = str(folder)
        try:
            yield folder
        finally:
            tempfile.tempdir = usual


def compare(
    source: Path, target: Path, tests: Sequence[NDArray[np.uint8]], find: Find | None = None
) -> Fidelity:
    """How far the keypoints of `target` are from those of `source`; `find` as for `quantize`."""
    original, found = ((find or _infer)(path, tests) for path in (source, target))
    there = original[..., 2] > MIN_SCORE
    distances = np.linalg.norm(original[..., :2] - found[..., :2], axis=-1)[there]
    kept = (found[..., 2][there] > 0.5 * MIN_SCORE) & (distances < 8)
    if not kept.any():
        return Fidelity(np.inf, 1.0)
    return Fidelity(float(np.median(distances[kept])), float(1 - kept.mean()))


class _Reader:
    """Feeds pictures to the calibration, one at a time."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self._pictures = iter(pictures)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        picture = next(self._pictures, None)
        return None if picture is None else {"image": picture[None]}


def _in_bytes(model: onnx.ModelProto) -> list[str]:
    """The operations to be done in bytes: all that feed the last convolution, but for the first few.

    The heatmaps themselves, and where offsets are computed, need their digits.
    """
    nodes = list(model.graph.node)
    convolutions = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    first, last = convolutions[FIRST_IN_FLOAT], convolutions[-1]
    return [node.name for node in nodes[first:last] if node.op_type in QUANTIZED]


def cpu_session(path: Path) -> Any:
    """ONNX Runtime's session of an exported model."""
    return import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _infer(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    session = cpu_session(path)
    return np.stack([session.run(None, {"image": picture[None]})[0][0] for picture in pictures])


def _is_no_advice(record: Any) -> bool:
    """The quantizer advises to pre-process through the root logger, also when that was done."""
    return "pre-process" not in record.getMessage()
