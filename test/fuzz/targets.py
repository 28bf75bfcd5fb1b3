"""What reads data of others, each with odd data to read: it takes them, or says in a sentence why not."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import zstandard
from fuzz import good_data as good
from fuzz.good_data import FOLDER, saved
from fuzz.mutations import NUMBERS, WORDS, odd_bytes, odd_json, odd_text
from hypothesis import strategies as st
from pose_bags import STORE
from reference_corner import references
from rosbags.rosbag2 import StoragePlugin, Writer
from scenes import random_landmarks

from reloc_ros.bundle import LANDMARKS, ONNX_MODEL, REFERENCES, Bundle
from reloc_ros.errors import RelocError
from reloc_ros.inference.onnx_file import self_contained
from reloc_ros.inference.places import PlaceClassifier
from reloc_ros.io.bag import Bag
from reloc_ros.io.camera_files import read_camera_file, read_colmap_cameras
from reloc_ros.io.camera_info import camera_from_message, log_camera_info
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.io.image_messages import image_from_compressed, image_from_message
from reloc_ros.io.manifest import MANIFEST
from reloc_ros.io.npz import read_npz
from reloc_ros.landmarks import Landmarks
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.offline.align.timed_readings import read_bag_accelerations, read_bag_poses
from reloc_ros.offline.align.trajectory import match_images, read_trajectory, stamps_of_keys
from reloc_ros.offline.landmarks.keypoints_json import read_keypoints, write_keypoints
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.landmarks.points_file import read_points
from reloc_ros.offline.model.cloud_file import read_kept_ids, write_ply
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.running.bag_tf import BagTf
from reloc_ros.offline.running.detections import read_detections
from reloc_ros.offline.running.mesh import read_mesh
from reloc_ros.offline.sources.exif import read_exif
from reloc_ros.offline.sources.mp4_track import read_mp4_track
from reloc_ros.offline.sources.photographs import read_photo
from reloc_ros.refinement.references import References

TF_TYPE = "tf2_msgs/msg/TFMessage"


@dataclasses.dataclass(frozen=True)
class Target:
    """One reader."""

    inputs: st.SearchStrategy
    read: Callable[[Any], object]
    refuses: tuple[type[Exception], ...] = (RelocError,)
    """How it says that data is wrong; anything else is a fault."""

    def takes(self, data: Any) -> bool:
        """Whether it takes the data; otherwise it has said why not, in one line."""
        try:
            self.read(data)
        except self.refuses as error:
            assert str(error) and "\n" not in str(error).strip(), f"not a sentence: {error!r}"
            return False
        return True


def file(inputs: st.SearchStrategy, name: str, read: Callable[[Path], object], **options: Any) -> Target:
    """The target of what reads one file, which is written anew for each data."""

    def write_and_read(data: bytes) -> object:
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return read(path)

    return Target(inputs, write_and_read, **options)


@st.composite
def _odd_archive(draw: st.DrawFn, whole: bytes) -> bytes:
    """An .npz file with an array of another kind or shape, or with odd numbers; or with its bytes spoilt."""
    if not draw(st.integers(0, 3)):
        return draw(odd_bytes(whole))
    with np.load(io.BytesIO(whole)) as data:
        arrays = dict(data)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(arrays)))
        if draw(st.integers(0, 9)):
            arrays[name] = draw(_odd_array(arrays[name]))
        elif len(arrays) > 1:
            del arrays[name]
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@st.composite
def _odd_array(draw: st.DrawFn, array: np.ndarray) -> np.ndarray:
    way = draw(st.sampled_from(["kind", "shape", "shape", "number", "number", "number"]))
    if way == "shape":
        row = array.ravel()
        return draw(st.sampled_from([array[None], row, row[:0], row[:1], row[::2]]))
    if array.dtype.kind in "cM":
        return array
    if array.dtype.kind == "U":
        return np.array(draw(odd_text(str(array))).decode(errors="replace"))
    with np.errstate(all="ignore"):
        if way == "kind":
            return array.astype(draw(st.sampled_from(["f2", "i1", "u8", "c16", "?", "U3", "M8[s]"])))
        changed = array.copy()
        numbers = [0.0, -1.0, 1e30, np.nan, np.inf] if array.dtype.kind == "f" else [0, 1, 99, 127]
        if array.size:
            changed.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(numbers))
        return changed


@st.composite
def _odd_message(draw: st.DrawFn, sound: SimpleNamespace) -> SimpleNamespace:
    """With a few fields odd, of the types that ROS lets through."""
    message = SimpleNamespace(**vars(sound))
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(vars(message))))
        value = getattr(message, name)
        if isinstance(value, str):
            value = draw(st.sampled_from((*_ENCODINGS, *WORDS)))
        elif isinstance(value, int):
            value = draw(st.sampled_from(NUMBERS).map(lambda number: number % 2**32) | st.integers(0, 700))
        elif isinstance(value, bytes):
            value = draw(odd_bytes(value))
        elif isinstance(value, list):
            odd = draw(st.sampled_from([0.0, 1.0, -1.0, 1e300, 1e-300, np.nan, np.inf]) | st.floats())
            value = [*value]
            if value and draw(st.booleans()):
                value[draw(st.integers(0, len(value) - 1))] = odd
            elif name == "d":  # the only one of any length
                value = draw(st.lists(st.floats(), max_size=15))
        else:
            value = draw(_odd_message(value))
        setattr(message, name, value)
    return message


_ENCODINGS = (*("mono8", "bgr8", "rgba16", "16UC1", "nv12", "yuyv", "bayer_rggb8", "32FC1", "plumb_bob"),)
_ENCODINGS += ("rational_polynomial", "equidistant", "jpeg", "png", "h264", "16UC1; compressedDepth")


def _read_bundle(path: Path) -> None:
    bundle = Bundle.load(path.parent)
    bundle.camera_for(640, 480)
    bundle.own_camera("a")


def _read_camera_info(message: SimpleNamespace) -> None:
    for rectified in (False, True):
        camera_from_message(message, rectified=rectified)
        log_camera_info(message, "images", rectified=rectified)


def _read_trajectory(path: Path) -> None:
    trajectory = read_trajectory(path)
    stamps_of_keys(trajectory.keys)
    match_images(trajectory.keys, [f"images/frame_{i:03d}.png" for i in range(5)])


@st.composite
def _odd_colmap(
    draw: st.DrawFn, files: dict[str, Any], odd: Callable[[Any], st.SearchStrategy]
) -> dict[str, bytes]:
    which = draw(st.sampled_from(sorted(files)))
    plain = {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()}
    return plain | {which: draw(odd(files[which]))}


def _read_colmap(files: dict[str, bytes]) -> None:
    folder = FOLDER / "colmap"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    read_colmap(folder)


def _read_bag(path: Path) -> None:
    with Bag(path) as bag:
        topics = bag.topics()
        for raw in bag.messages():
            with contextlib.suppress(RelocError):
                raw.decoded()
    if "/tf_static" in topics:
        BagTf(path)


def _read_pose_bag(path: Path) -> None:
    """Each topic by itself: one of them may be sound."""
    problems = []
    for read, topic in ((read_bag_poses, "/odom"), (read_bag_accelerations, "/imu")):
        try:
            read(path, topic)
        except RelocError as error:
            problems.append(error)
    if problems:
        raise problems[0]


@st.composite
def _odd_tf(draw: st.DrawFn) -> bytes:
    """A bag of some transforms between few frames, which so meet in loops, or hang on several."""
    frames, number = st.sampled_from(["base_link", "/map", "camera", "", "odom", "\u00e9"]), st.floats()
    types = STORE.types
    vector, turn = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Quaternion"]
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](0, 0), "")
    path = FOLDER / "tf"
    shutil.rmtree(path, ignore_errors=True)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic in ("/tf_static", "/tf"):
            connection = writer.add_connection(topic, TF_TYPE, typestore=STORE)
            transforms = [
                types["geometry_msgs/msg/TransformStamped"](
                    dataclasses.replace(header, frame_id=draw(frames)),
                    draw(frames),
                    types["geometry_msgs/msg/Transform"](
                        vector(draw(number), draw(number), 0.0), turn(0.0, draw(number), 0.0, draw(number))
                    ),
                )
                for _ in range(draw(st.integers(0, 4)))
            ]
            writer.write(connection, 1, STORE.serialize_cdr(types[TF_TYPE](transforms), TF_TYPE))
    (messages,) = path.glob("*.mcap")
    return draw(st.just(messages.read_bytes()) | odd_bytes(messages.read_bytes()))


def _read_tf(path: Path) -> None:
    tf = BagTf(path)
    for frame in ("camera", "base_link", "map", ""):
        tf.parent_of(frame), tf.mount_of(frame)


def _any_of(odd: Callable[[Any], st.SearchStrategy], *sound: Any) -> st.SearchStrategy:
    return st.one_of(*map(odd, sound))


def _compressed(data: bytes) -> st.SearchStrategy:
    return _odd_message(SimpleNamespace(format="jpeg", data=data))


def _odd_zstd(whole: bytes) -> st.SearchStrategy:
    """Odd data compressed, or compressed data that is odd."""
    return odd_bytes(zstandard.compress(whole)) | odd_bytes(whole).map(zstandard.compress)


def _landmarks() -> bytes:
    return saved(random_landmarks(8).save)


def _keypoints() -> Any:
    return json.loads(saved(lambda path: write_keypoints(path, good.UNLABELLED)))


def _cloud() -> bytes:
    return saved(lambda path: write_ply(path, good.MODEL))


def _read_references(path: Path) -> object:
    loaded = References.load(path)
    return [loaded.picture(view) for view in range(len(loaded.files))]


def _read_keypoints(path: Path) -> object:
    return read_keypoints(path, good.UNLABELLED, [640] * len(good.UNLABELLED.names))


def _read_detections(path: Path) -> object:
    return read_detections(path, 3, ["a/one.png", "b/two.jpg"])


def _read_photograph(path: Path) -> object:
    return read_exif(path), read_photo(path)


def _read_cloud(path: Path) -> object:
    return read_kept_ids(path, good.MODEL)


TARGETS: dict[str, Callable[[], Target]] = {
    "manifest": lambda: file(odd_json(good.manifest()), f"bundle/{MANIFEST}", _read_bundle),
    "landmarks": lambda: file(_odd_archive(_landmarks()), LANDMARKS, Landmarks.load),
    "labels": lambda: file(_odd_archive(saved(good.UNLABELLED.save)), "labels.npz", Labels.load),
    "model": lambda: file(_odd_archive(saved(good.MODEL.save)), "model.npz", SfmModel.load),
    "references": lambda: file(_odd_archive(saved(references().save)), REFERENCES, _read_references),
    "places": lambda: file(_odd_archive(saved(good.PLACES.save)), "places.npz", PlaceClassifier.load),
    "features": lambda: file(_odd_archive(saved(good.FEATURES.save)), "features.npz", FeatureMap.load),
    "npz": lambda: file(_odd_archive(_landmarks()), "a.npz", read_npz, refuses=(ValueError,)),
    "onnx": lambda: file(odd_bytes(good.network()), ONNX_MODEL, self_contained),
    "points": lambda: file(odd_text(good.POINTS), "points.txt", read_points),
    "keypoints": lambda: file(odd_json(_keypoints()), "keypoints.json", _read_keypoints),
    "detections": lambda: file(odd_json(good.DETECTIONS), "found.json", _read_detections),
    "camera-yaml": lambda: file(_any_of(odd_text, *good.CAMERA_YAMLS), "camera.yaml", read_camera_file),
    "cameras-txt": lambda: file(
        odd_text(good.colmap_texts()["cameras.txt"]), "cameras.txt", read_colmap_cameras
    ),
    "cameras-bin": lambda: file(
        odd_bytes(good.colmap_binaries()["cameras.bin"]), "cameras.bin", read_colmap_cameras
    ),
    "camera-info": lambda: Target(_odd_message(good.CAMERA_INFO), _read_camera_info),
    "colmap-text": lambda: Target(_odd_colmap(good.colmap_texts(), odd_text), _read_colmap),
    "colmap-binary": lambda: Target(_odd_colmap(good.colmap_binaries(), odd_bytes), _read_colmap),
    "trajectory": lambda: file(_any_of(odd_text, *good.TRAJECTORIES), "poses.txt", _read_trajectory),
    "image": lambda: Target(_odd_message(good.IMAGE), image_from_message),
    "compressed-image": lambda: Target(_any_of(_compressed, *good.pictures()), image_from_compressed),
    "photograph": lambda: file(_any_of(odd_bytes, *good.pictures()), "photo.jpg", _read_photograph),
    "exif": lambda: file(odd_bytes(good.photograph()), "exif.jpg", _read_photograph),
    "image-mask": lambda: file(_any_of(odd_bytes, *good.pictures()), "mask.png", ImageMask.load),
    "video-head": lambda: file(odd_bytes(good.mp4()), "video.mp4", read_mp4_track, refuses=()),
    "bag-poses": lambda: file(odd_bytes(good.pose_bag()), "poses.mcap", _read_pose_bag),
    "bag-tf": lambda: file(_odd_tf(), "tf.mcap", _read_tf),
    "bag-mcap": lambda: file(odd_bytes(good.bag(True)), "bag.mcap", _read_bag),
    "bag-db3": lambda: file(odd_bytes(good.bag(False)), "bag.db3", _read_bag),
    "bag-ros1": lambda: file(_any_of(odd_bytes, *map(good.ros1_bag, (False, True))), "one.bag", _read_bag),
    "bag-zstd": lambda: file(_odd_zstd(good.bag_of_compressed_messages()), "chatter.db3.zstd", _read_bag),
    "cloud": lambda: file(odd_bytes(_cloud()), "cloud.ply", _read_cloud),
    "mesh-ply": lambda: file(odd_text(good.PLY), "mesh.ply", read_mesh),
    "mesh-binary": lambda: file(odd_bytes(good.BINARY_PLY), "mesh.ply", read_mesh),
    "mesh-obj": lambda: file(odd_text(good.OBJ), "mesh.obj", read_mesh),
}
"""By name; the good data is made once one is asked for."""
