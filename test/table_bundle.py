"""A real bundle with a tiny real network: the image's brightness chooses the pose, so a test knows what to expect.

A uniform image of value 10 p is the view from `camera_from_map(p)`; black is a picture of another place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reloc_ros.bundle import ONNX_MODEL, Bundle, NetworkShape, write_bundle
from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks

CAMERA = Camera("pinhole", 640, 480, 500.0, 500.0, 319.5, 239.5)
STEP = 10
"""Grey levels from one pose to the next."""
POSES = 20
SPACING_M = 0.02
"""From one pose to the next; the last two are a jump away from the others."""
LANDMARKS = 32
HIDDEN = POSES
"""The view from `camera_from_map(5)` again, with most keypoints wrong: solver `opencv` misses it without a prior."""
HIDDEN_SEEN = 12
MAP_FROM_FACING = SE3(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), np.zeros(3))
"""The map's z is up; `facing` is as a level camera: x right, y down, z forward."""


def camera_from_map(index: int) -> SE3:
    x = SPACING_M * index + (50.0 if index >= POSES - 2 else 0.0)
    facing_from_camera = SE3.from_rotation_vector([0, 0.01 * index, 0.2], [x, 0.5, 0.1])
    return (MAP_FROM_FACING @ facing_from_camera).inverse()


def view(index: int, width: int = CAMERA.width, height: int = CAMERA.height) -> np.ndarray:
    """The BGR image whose pose is `camera_from_map(index)`; 0 is black: another place."""
    return np.full((height, width, 3), STEP * index, dtype=np.uint8)


def make_table_bundle(
    path: Path, *, scale: str = "metric", cameras: Mapping[str, Camera] | None = None
) -> Bundle:
    rng = np.random.default_rng(0)
    # Each pose sees landmarks of its own; all are near both groups of cameras.
    positions = rng.uniform([-0.8, -0.2, 2.0], [0.8, 1.2, 4.0], (LANDMARKS, 3))
    positions[LANDMARKS // 2 :, 0] += 50.36
    positions = MAP_FROM_FACING.apply(positions)
    directions = np.tile([0.0, -1.0, 0.0], (LANDMARKS, 1))
    landmarks = Landmarks(np.arange(LANDMARKS), positions, directions, np.full(LANDMARKS, np.radians(60)))
    table = np.zeros((POSES + 6, LANDMARKS, 4), dtype=np.float32)
    for index in range(1, POSES):
        pixels = CAMERA.project(camera_from_map(index).apply(positions))
        seen = CAMERA.contains(pixels)
        assert seen.sum() >= 12
        table[index, seen, :2] = pixels[seen]
        table[index, seen, 2:] = (0.9, 0.5)
    anywhere = np.random.default_rng(0).uniform(0, [CAMERA.width, CAMERA.height], (LANDMARKS, 2))
    table[HIDDEN, :, :2] = anywhere
    table[HIDDEN, :, 2:] = (0.21, 0.5)
    seen = np.flatnonzero(table[5, :, 2])[:HIDDEN_SEEN]
    table[HIDDEN, seen] = table[5, seen]
    network = NetworkShape("resnet18", LANDMARKS, CAMERA.width, CAMERA.height)
    return write_bundle(
        path,
        scale=scale,
        camera=CAMERA,
        cameras=cameras,
        network=network,
        landmarks=landmarks,
        made_from={"test": "brightness table"},
        write_models=lambda folder: _write_network(folder / ONNX_MODEL, table),
    )


def _write_network(path: Path, table: np.ndarray) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    y, x = CAMERA.height // 2, CAMERA.width // 2
    constants = {
        "starts": np.array([y, x, 0]),
        "ends": np.array([y + 1, x + 1, 1]),
        "axes": np.array([1, 2, 3]),
        "one": np.array([1]),
        "half": np.array([0.5], np.float32),
        "step": np.array([STEP], np.float32),
        "table": table,
    }
    nodes = [
        helper.make_node("Slice", ["image", "starts", "ends", "axes"], ["pixel"]),
        helper.make_node("Cast", ["pixel"], ["value"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["value", "one"], ["flat"]),
        helper.make_node("Div", ["flat", "step"], ["share"]),
        helper.make_node("Add", ["share", "half"], ["raised"]),
        helper.make_node("Cast", ["raised"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["keypoints"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, CAMERA.height, CAMERA.width, 3])
    keypoints = helper.make_tensor_value_info("keypoints", TensorProto.FLOAT, [1, LANDMARKS, 4])
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "brightness_table", [image], [keypoints], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
