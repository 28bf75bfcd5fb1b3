"""Small data as it should be, of each kind that is read."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import json
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from feature_maps import make_feature_map
from image_bag import write_image_bag
from pose_bags import write_pose_bag
from reference_corner import references
from rosbags.typesys import Stores, get_typestore
from scenes import TINY_CAMERA, TINY_SHAPE, noise_image, random_landmarks
from synthetic_model import make_model, write_colmap_text

from reloc_ros.bundle import ONNX_MODEL, REFERENCES, write_bundle
from reloc_ros.geometry import SE3
from reloc_ros.inference.places import PlaceClassifier
from reloc_ros.io.manifest import MANIFEST
from reloc_ros.offline.align.timed_readings import Accelerations, StampedPoses
from reloc_ros.offline.align.trajectory import Poses
from reloc_ros.offline.landmarks.labels import unlabelled

FOLDER = Path(tempfile.mkdtemp(prefix="reloc-fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def saved(save: Callable[[Path], object], name: str = "saved") -> bytes:
    """What something writes to a file."""
    save(FOLDER / name)
    return (FOLDER / name).read_bytes()


IMAGE = SimpleNamespace(height=24, width=32, encoding="bgr8", is_bigendian=0, step=96, data=bytes(24 * 96))
ROI = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
CAMERA_INFO = SimpleNamespace(
    width=640,
    height=480,
    distortion_model="plumb_bob",
    d=[0.1, -0.05, 0.0, 0.0, 0.0],
    k=[500.0, 0, 320, 0, 500, 240, 0, 0, 1],
    r=[1.0, 0, 0, 0, 1, 0, 0, 0, 1],
    p=[500.0, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0],
    binning_x=0,
    binning_y=0,
    roi=ROI,
)
CAMERA_YAML = """\
image_width: 640
image_height: 480
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.05, 0.0, 0.0, 0.0]}
rectification_matrix: {rows: 3, cols: 3, data: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]}
projection_matrix: {rows: 3, cols: 4, data: [500.0, 0.0, 320.0, 0.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]}
"""
MESSAGE_YAML = """\
width: 640
height: 480
distortion_model: plumb_bob
d: [0.1, -0.05, 0.0, 0.0, 0.0]
k: [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
binning_x: 0
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""
KALIBR_YAML = """\
cam0:
  camera_model: pinhole
  distortion_model: radtan
  distortion_coeffs: [-0.28, 0.07, 0.0, 0.0]
  intrinsics: [458.6, 457.2, 367.2, 248.4]
  resolution: [752, 480]
"""
TUM = "# timestamp tx ty tz qx qy qz qw\n" + "".join(
    f"1700000000.{i:06d} {0.1 * i} {i * i} 1.5 0 0 {np.sin(i)} {np.cos(i)}\n" for i in range(5)
)
EUROC = "#timestamp [ns],p_x [m],p_y [m],p_z [m],q_w [],q_x [],q_y [],q_z []\n" + "".join(
    f"17000000000000{i}0000,{0.1 * i},{i * i},1.5,1,0,0,0\n" for i in range(5)
)
NAMED = "".join(f"images/frame_{i:03d}.png {0.1 * i} 1 {i * i} 0 0 0 1\n" for i in range(5))
ECHOED = "".join(f"17000000{i},5,map,{0.1 * i},1,{i * i},0,0,0,1\n" for i in range(5))
OBJ = "v 0 0 0\nv 1 0 0 0.5 0.5 0.5\nv 0 1 0\nv 0 0 1\nvt 0 1\nf 1 2 3\nf 1/1 2/1 3/1 4/1\nf -1 -2 -3\n"
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    "property uchar red\nproperty uchar green\nproperty uchar blue\nelement face 2\n"
    "property list uchar int vertex_indices\nend_header\n"
    "0 0 0 255 0 0\n1 0 0 0 255 0\n0 1 0 0 0 255\n0 0 1 9 9 9\n3 0 1 2\n4 0 1 2 3\n"
)
BINARY_PLY = (
    b"ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    b"element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    + struct.pack("<12f", 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1)
    + struct.pack("<B3iB4i", 3, 0, 1, 2, 4, 0, 1, 2, 3)
)
POINTS = "# of the map\n1 2 3\n0.5, -1.5, 2e-3  # one more\n\n-4 5.5 6\n"
MODEL = make_model(images=8, points=60, camera="pinhole", seed=3)
STAMPS_NS = 1_700_000_000_000_000_000 + 10**8 * np.arange(3)
FEATURES = make_feature_map(np.arange(64, dtype=np.uint8).reshape(4, 16), np.array([0, 1, 2, 2]), np.eye(3))
PLACES = PlaceClassifier(np.eye(3, 5, dtype=np.float32), np.zeros(3, np.float32))
UNLABELLED = unlabelled(MODEL, random_landmarks(6))
DETECTIONS = {"a/one.png": [[10.0, 20.0, 0.9], [0.5, 7.25, 0.0], [3, 4, 1]], "two": [[1, 2, 0.5]] * 3}
CAMERA_YAMLS, TRAJECTORIES = (CAMERA_YAML, MESSAGE_YAML, KALIBR_YAML), (TUM, EUROC, NAMED, ECHOED)


def _write_models(folder: Path) -> None:
    (folder / ONNX_MODEL).write_bytes(b"a network")
    references().save(folder / REFERENCES)


@functools.cache
def manifest() -> dict[str, Any]:
    """A bundle in the folder; what its manifest says, without its own hash."""
    write_bundle(
        FOLDER / "bundle",
        scale="metric",
        camera=TINY_CAMERA,
        network=TINY_SHAPE,
        landmarks=random_landmarks(8),
        made_from={"map_images": 12},
        write_models=_write_models,
        cameras={"a": TINY_CAMERA, "b": dataclasses.replace(TINY_CAMERA, width=1280, height=720)},
    )
    said = json.loads((FOLDER / "bundle" / MANIFEST).read_text())
    del said["sha256"]
    return said | {
        "calibration": {
            "sigma_scale": 1.5,
            "coarse_scale": 2.0,
            "refined_scale": 4.0,
            "min_evidence": 3.5,
            "made_from": {},
        }
    }


def colmap_texts() -> dict[str, str]:
    write_colmap_text(MODEL, FOLDER / "text")
    return {path.name: path.read_text() for path in sorted((FOLDER / "text").iterdir())}


def colmap_binaries() -> dict[str, bytes]:
    """The same model in COLMAP's binary form."""
    texts = {
        name: [line.split() for line in text.splitlines() if not line.startswith("#")]
        for name, text in colmap_texts().items()
    }
    ((key, _, width, height, *params),) = texts["cameras.txt"]
    cameras = struct.pack("<QIiQQ4d", 1, int(key), 1, int(width), int(height), *map(float, params))
    images = struct.pack("<Q", len(MODEL.names))
    for head, row in zip(texts["images.txt"][::2], texts["images.txt"][1::2], strict=True):
        images += (
            struct.pack("<I7dI", int(head[0]), *map(float, head[1:8]), int(head[8]))
            + head[9].encode()
            + b"\0"
        )
        images += struct.pack("<Q", len(row) // 3)
        for x, y, point in zip(row[::3], row[1::3], row[2::3], strict=True):
            images += struct.pack("<ddq", float(x), float(y), int(point))
    points = struct.pack("<Q", len(texts["points3D.txt"]))
    for key, x, y, z, *rgb, _, _, _, _ in (row[:11] for row in texts["points3D.txt"]):
        points += struct.pack("<Q3d3Bd", int(key), float(x), float(y), float(z), *map(int, rgb), 0.5)
        points += struct.pack("<QII", 1, 1, 0)
    return {"cameras.bin": cameras, "images.bin": images, "points3D.bin": points}


@functools.cache
def bag(mcap: bool) -> bytes:
    path = FOLDER / f"bag-{mcap}"
    pictures = [np.full((6, 8), 20 * i, np.uint8) for i in range(3)]
    write_image_bag(path, {"/image": pictures, "/image/compressed": pictures}, TINY_CAMERA, mcap=mcap)
    return _packed(path)


def _packed(path: Path) -> bytes:
    (messages,) = (one for one in path.iterdir() if one.name != "metadata.yaml")
    return messages.read_bytes()


@functools.cache
def ros1_bag(compressed: bool) -> bytes:
    from rosbags.rosbag1 import Writer

    store, kind = get_typestore(Stores.ROS1_NOETIC), "std_msgs/msg/Header"
    stamp = store.types["builtin_interfaces/msg/Time"](1_700_000_000, 5)
    writer = Writer(FOLDER / f"one-{compressed}.bag")
    if compressed:
        writer.set_compression(Writer.CompressionFormat.LZ4)
    with writer:
        for topic in ("/one", "/two"):
            connection = writer.add_connection(topic, kind, typestore=store, latching=1)
            for number in range(3):
                message = store.types[kind](number, stamp, "/map")
                writer.write(connection, int(STAMPS_NS[number]), store.serialize_ros1(message, kind))
    return (FOLDER / f"one-{compressed}.bag").read_bytes()


@functools.cache
def bag_of_compressed_messages() -> bytes:
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.rosbag2.enums import CompressionFormat, CompressionMode

    store, kind = get_typestore(Stores.ROS2_JAZZY), "std_msgs/msg/String"
    writer = Writer(FOLDER / "chatter", version=8, storage_plugin=StoragePlugin.SQLITE3)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/chatter", kind, typestore=store)
        for number in range(3):
            message = store.types[kind](data=300 * str(number))
            writer.write(connection, int(STAMPS_NS[number]), store.serialize_cdr(message, kind))
    return _packed(FOLDER / "chatter")


@functools.cache
def pose_bag() -> bytes:
    poses = StampedPoses(
        STAMPS_NS, Poses.of([SE3.from_rotation_vector([0, 0, i], [i, 0, 0]) for i in range(3)])
    )
    imu = Accelerations(STAMPS_NS, np.tile([0.0, 0.0, 9.8], (3, 1)))
    return _packed(write_pose_bag(FOLDER / "poses", poses, imu))


@functools.cache
def photograph() -> bytes:
    """With all that is read of its EXIF."""
    from PIL import Image

    picture = Image.new("RGB", (32, 24))
    exif = picture.getexif()
    exif.update({0x010F: "Maker", 0x0110: "One", 0x0112: 6})
    exif.get_ifd(0x8769).update({0x920A: 4.2, 0xA405: 26, 0xA404: 1.0, 0xA434: "of the back"})
    picture.save(FOLDER / "exif.jpg", exif=exif)
    return (FOLDER / "exif.jpg").read_bytes()


def _box(kind: bytes, *inside: bytes) -> bytes:
    data = b"".join(inside)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def mp4() -> bytes:
    """The head of a video of which three of four seconds are shown, and that turned."""
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    track = _box(
        b"trak",
        _box(b"tkhd", bytes(40), matrix, bytes(8)),
        _box(b"edts", _box(b"elst", struct.pack(">II", 0, 1), struct.pack(">Iii", 3000, 0, 1 << 16))),
        _box(b"mdia", _box(b"hdlr", bytes(8), b"vide", bytes(13))),
    )
    movie = _box(b"moov", _box(b"mvhd", bytes(12), struct.pack(">II", 1000, 4000), bytes(80)), track)
    return _box(b"ftyp", b"isom", bytes(4)) + _box(b"mdat", bytes(64)) + movie


@functools.cache
def pictures() -> list[bytes]:
    """One in several formats."""
    suffixes = (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm")
    return [cv2.imencode(suffix, noise_image(0, 32, 24))[1].tobytes() for suffix in suffixes]


@functools.cache
def network() -> bytes:
    import onnx

    node = onnx.helper.make_node("Identity", ["image"], ["keypoints"])
    graph = onnx.helper.make_graph(
        [node], "graph", [], [], [onnx.helper.make_tensor("w", 1, [2], [1.0, 2.0])]
    )
    return onnx.helper.make_model(graph).SerializeToString()
