"""Four cameras before a printed wall: what their pictures show is known for every pixel."""

import dataclasses

import cv2
import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks import visibility_appearance
from reloc_ros.offline.landmarks.labels import Visibility, observed_landmarks
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.landmarks.visibility_appearance import likeness
from reloc_ros.offline.model.sfm import SfmModel

SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN
CAMERA = Camera("pinhole", 320, 240, 250.0, 250.0, 159.5, 119.5)
CENTERS = np.array([[-0.6, 0.1, 0], [-0.2, 0, 0.3], [0.2, -0.1, 0], [0.7, 0, -0.3]])
WALL = 4.0
PIXELS_PER_UNIT = 64


def noise(seed: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(0, 255, (height // 2, width // 2))
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


@pytest.fixture
def model() -> SfmModel:
    """Every camera but the last observed a grid of points on the wall; the last observed six in seven."""
    x, y = np.meshgrid(np.arange(-1.6, 1.7, 0.1), np.arange(-1.0, 1.1, 0.1))
    points = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, WALL)])
    poses = tuple(SE3(np.eye(3), -center) for center in CENTERS)
    observations = []
    for i, pose in enumerate(poses):
        pixels = CAMERA.project(pose.apply(points))
        rows = [p for p in np.flatnonzero(CAMERA.contains(pixels)) if i < 3 or p % 7]
        observations += [(p, i, *pixels[p]) for p in rows]
    table = np.array(sorted(observations))
    return SfmModel(
        cameras={1: CAMERA},
        names=("a.png", "b.png", "c.png", "d.png"),
        camera_ids=np.ones(4, dtype=np.int32),
        camera_from_map=poses,
        points_map=points,
        point_ids=np.arange(len(points), dtype=np.int64) + 100,
        colors=np.zeros((len(points), 3), dtype=np.uint8),
        errors_px=np.zeros(len(points)),
        observation_point=table[:, 0].astype(np.int32),
        observation_image=table[:, 1].astype(np.int32),
        observation_px=table[:, 2:],
    )


@pytest.fixture
def images_dir(model, tmp_path):
    """What each camera sees of the wall."""
    wall = noise(1, 512, 512)
    columns, rows = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    rays = CAMERA.unproject(np.column_stack([columns.ravel(), rows.ravel()]))
    for name, center in zip(model.names, CENTERS, strict=True):
        places = (rays * (WALL - center[2]) + center[:2]) * PIXELS_PER_UNIT + 256
        maps = places.astype(np.float32).reshape(CAMERA.height, CAMERA.width, 2)
        cv2.imwrite(str(tmp_path / name), cv2.remap(wall, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR))
    return tmp_path


@pytest.fixture
def landmarks(model) -> Landmarks:
    """Points that the last camera did not observe but has in its picture, with a narrow cone."""
    inside = CAMERA.contains(CAMERA.project(model.camera_from_map[3].apply(model.points_map)))
    rows = np.flatnonzero(inside & (np.arange(len(inside)) % 7 == 0) & (model.track_lengths >= 2))
    assert len(rows) >= 8
    count = len(rows)
    directions = np.tile([0.0, 0.8, -0.6], (count, 1))
    return Landmarks(model.point_ids[rows], model.points_map[rows], directions, np.full(count, 0.02))


def cover(images_dir, name: str) -> None:
    """Hang something else before the wall."""
    cv2.imwrite(str(images_dir / name), noise(2, CAMERA.height, CAMERA.width))


def all_of(model, landmarks) -> np.ndarray:
    return np.ones((len(model.names), len(landmarks)), dtype=bool)


def test_patches_of_the_same_place_are_alike_in_light_and_shade(model, landmarks, images_dir):
    dark = cv2.imread(str(images_dir / "d.png")) // 3 + 30
    cv2.imwrite(str(images_dir / "d.png"), dark)
    alike = likeness(model, landmarks, all_of(model, landmarks), images_dir)
    assert np.nanmin(alike) > 0.9 and np.isfinite(alike[3]).mean() > 0.6


def test_more_patches_than_opencv_remaps_at_once_are_compared_in_parts(
    model, landmarks, images_dir, monkeypatch
):
    whole = likeness(model, landmarks, all_of(model, landmarks), images_dir)
    monkeypatch.setattr(visibility_appearance, "MOST_ROWS", 3)
    parts = likeness(model, landmarks, all_of(model, landmarks), images_dir)
    np.testing.assert_array_equal(parts, whole)


def test_patches_of_different_things_are_not_alike(model, landmarks, images_dir):
    cover(images_dir, "d.png")
    alike = likeness(model, landmarks, all_of(model, landmarks), images_dir)
    assert np.nanmedian(alike[3]) < 0.5 and np.nanmin(alike[:3]) > 0.9


def test_bare_surfaces_and_what_nobody_observed_say_nothing(model, landmarks, images_dir):
    unknown = dataclasses.replace(landmarks, ids=landmarks.ids + 10_000)
    assert np.isnan(likeness(model, unknown, all_of(model, landmarks), images_dir)).all()
    for name in model.names:
        cv2.imwrite(str(images_dir / name), np.full((CAMERA.height, CAMERA.width), 90, np.uint8))
    assert np.isnan(likeness(model, landmarks, all_of(model, landmarks), images_dir)).all()


def test_nothing_is_compared_unasked_or_outside_the_image(model, landmarks, images_dir):
    asked = all_of(model, landmarks)
    asked[:, ::2] = False
    away = dataclasses.replace(landmarks, positions_map=landmarks.positions_map + np.array([50.0, 0, 0]))
    assert np.isnan(likeness(model, landmarks, asked, images_dir)[:, ::2]).all()
    assert np.isnan(likeness(model, away, all_of(model, landmarks), images_dir)).all()


def test_observed_landmarks_are_those_of_the_model(model, landmarks):
    observed = observed_landmarks(model, landmarks)
    assert observed[:3].sum() > 2 * len(landmarks) and not observed[3].any()
    strangers = dataclasses.replace(landmarks, ids=landmarks.ids + 10_000)
    assert not observed_landmarks(model, strangers).any()


def test_what_looks_like_it_from_outside_its_cone_is_seen(model, landmarks, images_dir):
    """The cone of these landmarks points elsewhere, so the depths alone decide nothing."""
    assert set(label_images(model, landmarks).visibility[3].tolist()) == {UNKNOWN}
    states = label_images(model, landmarks, "appearance", images_dir).visibility[3]
    assert (states == SEEN).mean() > 0.6 and set(states.tolist()) <= {SEEN, UNKNOWN}


def test_what_does_not_look_like_it_is_not_seen(model, landmarks, images_dir):
    cover(images_dir, "d.png")
    wide = dataclasses.replace(landmarks, view_cones_rad=np.full(len(landmarks), 1.5))
    assert set(label_images(model, wide).visibility[3].tolist()) == {SEEN}
    states = label_images(model, wide, "appearance", images_dir).visibility[3]
    assert (states == UNKNOWN).mean() > 0.1 and set(states.tolist()) <= {SEEN, UNKNOWN}
    narrow = label_images(model, landmarks, "appearance", images_dir).visibility[3]
    assert (narrow == UNKNOWN).mean() > 0.8


def test_what_looks_like_it_is_not_held_to_be_hidden(model, landmarks, images_dir):
    turned = dataclasses.replace(landmarks, directions_map=-landmarks.directions_map)
    assert set(label_images(model, turned).visibility[3].tolist()) == {HIDDEN}
    states = label_images(model, turned, "appearance", images_dir).visibility[3]
    assert (states == SEEN).mean() > 0.6
